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

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/verifier"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
	"github.com/data-sink/data-sink/internal/pipeline/bridge"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/ingest"
	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/metrictest"
)

// surroundings are the parts around the handlers. Either all of them work or, if bad,
// all of them fail.
type surroundings struct {
	bad   bool
	queue [][]byte
}

var errUnreachable = errors.New("unreachable")

// err is the result of a call.
func (s *surroundings) err() error {
	if s.bad {
		return errUnreachable
	}
	return nil
}

func (s *surroundings) Claim(_ context.Context, name, id string, _ time.Duration, _, _ int) (queue.Claim, error) {
	c := queue.Claim{Stream: name, ID: id, Envelopes: s.queue}
	s.queue = nil
	return c, nil
}

func (s *surroundings) PushPart(context.Context, string, queue.Part, int64) (queue.PartPushed, error) {
	return queue.PartPushed{}, s.err()
}

func (s *surroundings) Ack(context.Context, queue.Claim, []int) (bool, error) { return true, nil }

func (s *surroundings) Release(context.Context, queue.Claim, []int, []int, []int) (bool, error) {
	return true, nil
}

func (s *surroundings) Reclaim(context.Context, string) (int, error) { return 0, nil }

func (s *surroundings) Recover(context.Context, string, []string) (int, error) { return 0, nil }

func (s *surroundings) Reconcile(context.Context, string) (queue.Lost, error) {
	if s.bad {
		return queue.Lost{Records: 1, Bytes: 1}, nil
	}
	return queue.Lost{}, nil
}

func (s *surroundings) Scan(context.Context) (map[string][]string, error) { return nil, nil }

func (s *surroundings) CheckDrain(context.Context) error { return nil }

func (s *surroundings) EvictionPolicy(context.Context) (string, error) {
	if s.bad {
		return "allkeys-lru", nil
	}
	return "noeviction", nil
}

func (s *surroundings) Inspect(context.Context, string) (queue.State, error) {
	if s.bad {
		return queue.State{Depth: 1_000_000, Claims: 1, OldestReceivedAt: time.Now().Add(-time.Hour)}, nil
	}
	return queue.State{Depth: 1, OldestReceivedAt: time.Now()}, nil
}

func (s *surroundings) Push(context.Context, string, []byte, int64) (queue.Pushed, error) {
	return queue.Pushed{}, s.err()
}

func (s *surroundings) Ping(context.Context) error { return s.err() }

func (s *surroundings) Put(context.Context, string, []sink.Entry) sink.Result {
	if s.bad {
		return sink.Result{Left: []int{0}, Retried: 1, Throttled: 1, Err: sink.ErrThrottled}
	}
	return sink.Result{}
}

func (s *surroundings) Wake(context.Context, string, time.Duration) error { return s.err() }

// kept is an archive that accepts everything.
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
	return nil, errUnreachable
}

// blockedFor is the time for which the bridge has been refused in the bad case.
const blockedFor = maxBlockedSeconds*time.Second + time.Minute

// emitted runs a request, a sweep, two batches from the tap and a verification of the
// stream orders through the handlers as the functions wire them, and returns the metrics
// that they write. Either everything around the handlers works or, if bad, everything
// fails.
func emitted(t *testing.T, tap, bad bool) []metrictest.Point {
	t.Helper()
	const deployment = "datasink"
	set := mustParse(t, oneStream(tap))
	var out bytes.Buffer
	writer, silent := metric.NewWriter(&out, deployment, false), slog.New(slog.DiscardHandler)
	around := func() *surroundings { return &surroundings{bad: bad} }

	window := metric.NewWindow(writer)
	clients := basicauth.NewCache(func(context.Context) ([]byte, error) { return []byte(`{"datasink":"hunter2"}`), nil }, time.Minute, time.Minute)
	ingests := ingest.New(ingest.Config{
		Ingest: env.Defaults(env.ParseIngest), Streams: set, Credentials: clients, Queue: around(), Archive: kept{}, Waker: around(), Log: silent,
		Observe: ingest.Metrics{Window: window}.Observe,
	})
	post := `{"rawPath":"/archives/orders","headers":{"authorization":"Basic ` + base64.StdEncoding.EncodeToString([]byte("datasink:hunter2")) +
		`"},"requestContext":{"http":{"method":"POST"}},"body":"hello"}`

	observe, queued := drain.Metrics{Writer: writer}, around()
	queued.queue = [][]byte{encode(t)}
	if bad {
		queued.queue = append(queued.queue, []byte("no envelope"))
	}
	drainer := env.Defaults(env.ParseDrainer)
	drainer.Name = deployment
	drains := drain.New(drain.Config{
		Drainer: drainer, Streams: set, Queue: queued, Kinesis: around(), Firehose: around(), Archive: kept{}, Waker: around(), Log: silent,
		Observe: observe.Observe, ObserveSweep: observe.ObserveSweep,
	})

	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	bridges := bridge.New(bridge.Config{
		Bridge: env.Bridge{Base: env.Base{Name: deployment}}, Streams: set, Firehose: around(), Archive: kept{}, Log: silent, Observe: bridge.Metrics{Writer: writer}.Observe,
		Now: func() time.Time { return now },
	})
	batch := string(cloud.KinesisEvent(cloud.EventRecord{Stream: deployment + ".orders", Record: cloud.Record{SequenceNumber: "1", ArrivedAt: now, Data: []byte("a")}}))

	verifies := verifier.New(verifier.Config{
		Streams: set, Verifier: env.Verifier{Every: time.Hour}, Objects: bucket.New(empty{}, "archive"), Settle: func(stream.Stream) time.Duration { return 0 }, Log: silent,
		Inspect: func(context.Context) (drain.Inspection, error) { return drain.Inspection{}, nil },
		PackedLines: func(_ context.Context, from, _ time.Time, each func(line []byte) error) error {
			if !bad {
				return nil
			}
			at := from.Add(90 * time.Minute).Format(time.RFC3339)
			return each([]byte(`{"msg":"packed","time":"` + at + `","stream":"orders","bytes":1,"records":1,"hash":"1","firstSequence":"1","lastSequence":"1"}`))
		},
		DirectLines: func(context.Context, time.Time, time.Time, func(line []byte) error) error { return nil },
		Observe:     verifier.Metrics{Writer: writer}.Observe,
	})

	type invocation struct {
		handler interface {
			Invoke(context.Context, []byte) ([]byte, error)
		}
		event string
	}
	invocations := []invocation{{ingests, post}, {drains, drain.SweepEvent}, {verifies, "{}"}}
	if tap {
		invocations = append(invocations, invocation{bridges, batch}, invocation{bridges, batch})
	}
	for _, f := range invocations {
		if _, err := f.handler.Invoke(t.Context(), []byte(f.event)); err != nil {
			t.Fatalf("%T: %v", f.handler, err)
		}
		now = now.Add(blockedFor)
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
