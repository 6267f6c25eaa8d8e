package verifier_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/cespare/xxhash/v2"
	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/remote"
	"github.com/data-sink/data-sink/internal/operate/verifier"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/metrictest"
	"github.com/data-sink/data-sink/internal/rig/s3test"
)

// base is the beginning of the hour that the tests verify, and scheduled the
// event of the schedule that has it verified.
// Objects are written now, whatever hour they are of.
var (
	base      = time.Now().UTC().Truncate(time.Hour).Add(-5 * time.Hour)
	scheduled = fmt.Sprintf(`{"scheduledAt":%q}`, base.Add(105*time.Minute).Format(time.RFC3339))
)

// world is what the verifier looks at: the bridge's log, the queues and the
// archive.
type world struct {
	t      testing.TB
	client *s3.Client
	store  archive.Store
	config verifier.Config

	lines   strings.Builder // the bridge's log
	direct  strings.Builder // ingest's log
	logged  int
	queues  drain.Inspection
	log     lockedBuffer // the verifier's log
	metrics bytes.Buffer
	// stall, if set, is a part of the keys that are never read to their end.
	stall string
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func newWorld(t testing.TB, streams ...string) *world {
	t.Helper()
	w := &world{t: t, queues: drain.Inspection{Streams: make(map[string]queue.State)}}
	w.client = s3test.Start(t, s3test.Options{Wrap: func(storage http.Handler) http.Handler {
		return http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
			if w.stall != "" && in.Method == http.MethodGet && strings.Contains(in.URL.Path, w.stall) {
				<-in.Context().Done()
				return
			}
			storage.ServeHTTP(out, in)
		})
	}})
	w.store = archive.NewS3(w.client, s3test.Bucket)
	var entries []string
	for _, name := range streams {
		entries = append(entries, fmt.Sprintf(`{"name":%q}`, name))
	}
	w.config = verifier.Config{
		Streams: parse(t, entries...), Verifier: env.Verifier{Every: time.Hour}, Objects: bucket.New(w.client, s3test.Bucket), Settle: remote.Settle,
		Inspect:     func(context.Context) (drain.Inspection, error) { return w.queues, nil },
		PackedLines: w.linesOf(&w.lines),
		DirectLines: w.linesOf(&w.direct),
		Observe:     verifier.Metrics{Writer: metric.NewWriter(&w.metrics, "d", false)}.Observe,
		Log:         slog.New(slog.NewJSONHandler(&w.log, nil)),
	}
	return w
}

// parse returns the streams of a streams.json with these entries.
func parse(t testing.TB, entries ...string) *stream.Set {
	t.Helper()
	set, err := stream.Parse([]byte(`{"streams":[` + strings.Join(entries, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func (w *world) linesOf(log *strings.Builder) func(context.Context, time.Time, time.Time, func([]byte) error) error {
	return func(_ context.Context, _, _ time.Time, each func(line []byte) error) error {
		for line := range strings.Lines(log.String()) {
			if err := each([]byte(line)); err != nil {
				return err
			}
		}
		return nil
	}
}

// bridged logs packed records, each of so many lines, and returns what they are
// one behind the other.
func (w *world) bridged(streamName string, packed ...string) []byte {
	for _, p := range packed {
		w.logged++
		line, err := json.Marshal(map[string]any{
			"time": base.Add(time.Duration(w.logged) * time.Second), "msg": pack.LogPacked, "stream": streamName,
			"bytes": len(p), "records": strings.Count(p, "\n"), "hash": fmt.Sprintf("%016x", xxhash.Sum64String(p)),
			"shard": "shardId-0", "firstSequence": fmt.Sprint(1000 + 10*w.logged), "lastSequence": fmt.Sprint(1009 + 10*w.logged),
		})
		if err != nil {
			w.t.Fatal(err)
		}
		w.lines.Write(append(line, '\n'))
	}
	return []byte(strings.Join(packed, ""))
}

func key(streamName string, n int) string {
	return stream.Stream{Name: streamName}.Folder(base) + fmt.Sprintf("d.%s-1-%04d.gz", streamName, n)
}

// write writes an object, compressed.
func (w *world) write(key string, content []byte) {
	w.t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(content); err != nil {
		w.t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		w.t.Fatal(err)
	}
	if err := w.store.Put(w.t.Context(), key, b.Bytes()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) remove(key string) {
	w.t.Helper()
	if _, err := w.client.DeleteObject(w.t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(s3test.Bucket), Key: &key}); err != nil {
		w.t.Fatal(err)
	}
}

// invoke runs the verifier once, and returns its answer or its error.
func (w *world) invoke(ctx context.Context, event string) (verifier.Answer, error) {
	w.t.Helper()
	w.log.Reset()
	w.metrics.Reset()
	text, err := verifier.New(w.config).Invoke(ctx, []byte(event))
	var answer verifier.Answer
	if err == nil {
		if err := json.Unmarshal(text, &answer); err != nil {
			w.t.Fatal(err)
		}
	}
	return answer, err
}

// logs are the log's lines of a name.
func (w *world) logs(name string) []map[string]any {
	w.t.Helper()
	var found []map[string]any
	for line := range bytes.Lines(w.log.Bytes()) {
		var l map[string]any
		if err := json.Unmarshal(line, &l); err != nil {
			w.t.Fatal(err)
		}
		if l["msg"] == name {
			found = append(found, l)
		}
	}
	return found
}

func (w *world) emitted() []string {
	w.t.Helper()
	return metrictest.Texts(metrictest.Read(w.t, w.metrics.Bytes()))
}
