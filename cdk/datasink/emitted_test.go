package datasink

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/verifier"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
	"github.com/data-sink/data-sink/internal/pipeline/bridge"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/ingest"
	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/lambdatest"
	"github.com/data-sink/data-sink/internal/rig/metrictest"
)

// trouble is everything around the handlers, in as much trouble as makes
// them tell of it.
type trouble struct{ queue [][]byte }

var errAway = errors.New("away")

func (t *trouble) Claim(_ context.Context, name, id string, _ time.Duration, _, _ int) (queue.Claim, error) {
	c := queue.Claim{Stream: name, ID: id, Envelopes: t.queue}
	t.queue = nil
	return c, nil
}

func (t *trouble) Ack(context.Context, queue.Claim, []int) (bool, error) { return true, nil }

func (t *trouble) Release(context.Context, queue.Claim, []int, []int) (bool, error) { return true, nil }

func (t *trouble) Reclaim(context.Context, string) (int, error) { return 0, nil }

func (t *trouble) Recover(context.Context, string, []string) (int, error) { return 0, nil }

func (t *trouble) Reconcile(context.Context, string) (queue.Lost, error) {
	return queue.Lost{Records: 1, Bytes: 1}, nil
}

func (t *trouble) Scan(context.Context) (map[string][]string, error) { return nil, nil }

func (t *trouble) CheckDrain(context.Context) error { return nil }

func (t *trouble) EvictionPolicy(context.Context) (string, error) { return "allkeys-lru", nil }

func (t *trouble) Inspect(context.Context, string) (queue.State, error) {
	return queue.State{Depth: 1, Claims: 1, OldestReceivedAt: time.Now().Add(-time.Hour)}, nil
}

func (t *trouble) Push(context.Context, string, []byte, int64) (queue.Pushed, error) {
	return queue.Pushed{}, errAway
}
func (t *trouble) Ping(context.Context) error { return errAway }

func (t *trouble) Put(context.Context, string, []sink.Entry) sink.Result {
	return sink.Result{Left: []int{0}, Retried: 1, Throttled: 1, Err: sink.ErrThrottled}
}

func (t *trouble) Wake(context.Context, string, time.Duration) error { return errAway }

// kept is an archive that takes everything.
type kept struct{}

func (kept) Put(context.Context, stream.Stream, envelope.Record, archive.Reason) (string, error) {
	return "key", nil
}
func (kept) Check(context.Context) error { return nil }

func (kept) PutDeadLetters(context.Context, string, string, string, []archive.DeadLetter) (string, error) {
	return "key", nil
}

// empty is a bucket without objects.
type empty struct{}

func (empty) ListObjectsV2(context.Context, *s3.ListObjectsV2Input, ...func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
	return &s3.ListObjectsV2Output{}, nil
}

func (empty) GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	return nil, errAway
}

// emitted runs a request, a sweep, a batch and a verification of the stream orders
// through the handlers as the functions wire them, and returns what they write.
func emitted(t *testing.T, deployment string) []metrictest.Point {
	t.Helper()
	set := mustParse(t, `{"streams": [{"name": "orders"}]}`)
	var out bytes.Buffer
	writer, silent := metric.NewWriter(&out, deployment, false), slog.New(slog.DiscardHandler)

	window := metric.NewWindow(writer)
	clients := basicauth.NewCache(func(context.Context) ([]byte, error) { return []byte(`{"datasink":"hunter2"}`), nil }, time.Minute, time.Minute)
	takesIn := ingest.New(ingest.Config{
		Streams: set, Credentials: clients, Queue: &trouble{}, Archive: kept{}, Waker: &trouble{}, Logger: silent,
		Observe: ingest.Metrics{Window: window}.Observe,
	})
	post := `{"rawPath":"/archives/orders","headers":{"authorization":"Basic ` + base64.StdEncoding.EncodeToString([]byte("datasink:hunter2")) +
		`"},"requestContext":{"http":{"method":"POST"}},"body":"hello"}`

	observe := drain.Metrics{Writer: writer}
	forwards := drain.New(drain.Options{
		Deployment: deployment, Streams: set, Queue: &trouble{queue: [][]byte{[]byte("no envelope"), encode(t)}}, Sink: &trouble{}, Archive: kept{}, Waker: &trouble{}, Log: silent,
		Observe: observe.Observe, ObserveSweep: observe.ObserveSweep,
	})

	packs := bridge.New(bridge.Config{
		Deployment: deployment, Streams: set, Firehose: &trouble{}, Archive: kept{}, Log: silent, Observe: bridge.Metrics{Writer: writer}.Observe,
	})
	batch := string(lambdatest.KinesisEvent(lambdatest.KinesisRecord{Stream: deployment + ".orders", Sequence: "1", Data: []byte("a")}))

	verifies := verifier.New(verifier.Config{
		Streams: set, Every: time.Hour, Objects: bucket.New(empty{}, "archive"), Settle: func(stream.Stream) time.Duration { return 0 }, Log: silent,
		Inspect: func(context.Context) (drain.Inspection, error) { return drain.Inspection{}, nil },
		PackedLines: func(_ context.Context, from, _ time.Time, each func(line []byte) error) error {
			at := from.Add(90 * time.Minute).Format(time.RFC3339)
			return each([]byte(`{"msg":"packed","time":"` + at + `","stream":"orders","bytes":1,"records":1,"hash":"1","firstSequence":"1","lastSequence":"1"}`))
		},
		Observe: verifier.Metrics{Writer: writer}.Observe,
	})

	for _, f := range []struct {
		handler interface {
			Invoke(context.Context, []byte) ([]byte, error)
		}
		event string
	}{{takesIn, post}, {forwards, drain.SweepEvent}, {packs, batch}, {verifies, "{}"}} {
		if _, err := f.handler.Invoke(t.Context(), []byte(f.event)); err != nil {
			t.Fatalf("%T: %v", f.handler, err)
		}
	}
	window.Flush()
	return metrictest.Read(t, out.Bytes())
}

func encode(t *testing.T) []byte {
	t.Helper()
	e, err := envelope.Encode(envelope.Record{Stream: "orders", ReceivedAt: time.Now(), ID: "id", Body: []byte("body")})
	if err != nil {
		t.Fatal(err)
	}
	return e
}
