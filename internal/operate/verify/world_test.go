package verify_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/tap"
	"github.com/data-sink/data-sink/internal/operate/verify"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/bridge"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/s3test"
)

// base is the beginning of the hour in which the tests take place.
var base = time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC)

// world is a bridge with its log, a Firehose and an archive.
type world struct {
	t      testing.TB
	log    bytes.Buffer
	logger *slog.Logger
	bridge *bridge.Handler
	packed [][]byte // what Firehose has taken and not written yet
	tap    []tap.Record
	client *s3.Client
	store  archive.Store
	now    time.Time
	clock  time.Time // of the archive; zero is the present
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, now: base.Add(time.Minute)}
	w.client = s3test.Start(t, s3test.Options{Now: func() time.Time {
		if w.clock.IsZero() {
			return time.Now()
		}
		return w.clock
	}})
	w.store = archive.NewS3(w.client, s3test.Bucket)
	streams, err := stream.Parse([]byte(`{"streams":[{"name":"orders"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	w.logger = slog.New(slog.NewJSONHandler(&w.log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Time(slog.TimeKey, w.now)
		}
		return a
	}}))
	w.bridge = bridge.New(bridge.Config{
		Bridge: env.Bridge{Base: env.Base{Name: "d"}}, Streams: streams, Firehose: w, Archive: archive.New(w.store, "d"), Now: func() time.Time { return w.now }, Log: w.logger,
	})
	return w
}

// Put accepts everything, as a healthy Firehose does.
func (w *world) Put(_ context.Context, _ string, entries []sink.Entry) sink.Result {
	for _, e := range entries {
		w.packed = append(w.packed, bytes.Clone(e.Data))
	}
	return sink.Result{Calls: 1}
}

// bridged sends bodies through tap and bridge as one batch: one packed record.
func (w *world) bridged(bodies ...string) {
	w.t.Helper()
	from := len(w.tap)
	w.tapped(bodies...)
	w.batch(from, bodies...)
}

// tapped puts bodies on the tap, and no further.
func (w *world) tapped(bodies ...string) {
	for _, body := range bodies {
		w.tap = append(w.tap, tap.Record{Shard: "shardId-0", Sequence: fmt.Sprint(1000 + len(w.tap)), ArrivedAt: w.now, Body: []byte(body)})
	}
}

// batch sends the records of the tap from one on through the bridge.
func (w *world) batch(from int, bodies ...string) {
	w.t.Helper()
	w.now = w.now.Add(time.Second)
	var records []cloud.EventRecord
	for i, body := range bodies {
		records = append(records, cloud.EventRecord{
			Stream: "d.orders", Shard: "shardId-0", Record: cloud.Record{SequenceNumber: w.tap[from+i].Sequence, ArrivedAt: w.now, Data: []byte(body)},
		})
	}
	if _, err := w.bridge.Invoke(w.t.Context(), cloud.KinesisEvent(records...)); err != nil {
		w.t.Fatal(err)
	}
}

// drained sends bodies to Firehose as the drainer does for a stream without a tap: as
// one packed record.
func (w *world) drained(bodies ...string) {
	w.t.Helper()
	w.now = w.now.Add(time.Second)
	_, packs, _, err := pack.Pack(nil, stream.Lines, len(bodies), func(dst []byte, i int) ([]byte, error) { return append(dst, bodies[i]...), nil })
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range packs {
		w.packed = append(w.packed, p.Body)
		p.Line("orders").Log(w.t.Context(), w.logger)
	}
}

// key returns the key of Firehose's n-th object of an hour.
func key(hour time.Time, n int) string {
	return stream.Stream{Name: "orders"}.Folder(hour) + fmt.Sprintf("d.orders-1-%04d.gz", n)
}

// deliver writes what Firehose has taken as its n-th object.
func (w *world) deliver(n int) string {
	w.t.Helper()
	content := bytes.Join(w.packed, nil)
	w.packed = nil
	w.write(key(base, n), content)
	return key(base, n)
}

// write writes an object, compressed.
func (w *world) write(key string, content []byte) {
	w.t.Helper()
	w.put(key, zipped(w.t, content))
}

// zipped returns content compressed.
func zipped(t testing.TB, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (w *world) put(key string, stored []byte) {
	w.t.Helper()
	if err := w.store.Put(w.t.Context(), key, stored); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) remove(key string) {
	w.t.Helper()
	if _, err := w.client.DeleteObject(w.t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(s3test.Bucket), Key: &key}); err != nil {
		w.t.Fatal(err)
	}
}

// config verifies the hour, a day later.
func (w *world) config() verify.Config {
	return verify.Config{
		Stream: "orders", From: base, To: base.Add(time.Hour), Settle: time.Minute,
		Objects: bucket.New(w.client, s3test.Bucket), Packed: w.lines, Now: func() time.Time { return time.Now().Add(24 * time.Hour) },
	}
}

// lines reads the bridge's log.
func (w *world) lines(_ context.Context, from, to time.Time, each func(pack.Line) error) error {
	for line := range bytes.Lines(w.log.Bytes()) {
		p, ok, err := pack.ParseLine(line)
		if err != nil {
			return err
		}
		if !ok || p.LoggedAt.Before(from) || !p.LoggedAt.Before(to) {
			continue
		}
		if err := each(p); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) readTap(_ context.Context, from, to time.Time, each func(tap.Record) error) error {
	for _, t := range w.tap {
		if t.ArrivedAt.Before(from) || !t.ArrivedAt.Before(to) {
			continue
		}
		if err := each(t); err != nil {
			return err
		}
	}
	return nil
}

func run(t testing.TB, c verify.Config) *verify.Report {
	t.Helper()
	r, err := verify.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// stored returns an object's bytes as they are stored.
func (w *world) stored(key string) []byte {
	w.t.Helper()
	r, err := bucket.New(w.client, s3test.Bucket).Open(w.t.Context(), key)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		w.t.Fatal(err)
	}
	return b.Bytes()
}

// unzipped returns what is compressed in b; nil when it is damaged.
func unzipped(b []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	var plain bytes.Buffer
	if _, err := plain.ReadFrom(z); err != nil {
		return nil
	}
	return plain.Bytes()
}
