package drain_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// bench is a drainer with an in-memory queue, sink, archive and waker.
type bench struct {
	*memoryQueue
	handler *drain.Handler

	mu        sync.Mutex
	delivered map[string][]string // AWS name, bodies or packed records
	keys      map[string]string   // body, partition key
	dead      map[string]archive.DeadLetter
	wakes     []string
	summaries map[string]drain.Summary
	log       bytes.Buffer
	// put, if set, returns the result of a Put. By default all entries are delivered.
	put func(ctx context.Context, stream string, entries []sink.Entry) sink.Result
	// archiveErr, if set, is the error of PutDeadLetters.
	archiveErr error
}

func (b *bench) Put(ctx context.Context, stream string, entries []sink.Entry) sink.Result {
	var r sink.Result
	if b.put != nil {
		r = b.put(ctx, stream, entries)
	}
	failed := slices.Clone(r.Left)
	for _, invalid := range r.Invalid {
		failed = append(failed, invalid.Index)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, e := range entries {
		if !slices.Contains(failed, i) {
			b.delivered[stream] = append(b.delivered[stream], string(e.Data))
			b.keys[string(e.Data)] = e.PartitionKey
		}
	}
	return r
}

func (b *bench) PutDeadLetters(_ context.Context, stage, streamName, name string, records []archive.DeadLetter) (string, error) {
	if b.archiveErr != nil {
		return "", b.archiveErr
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range records {
		b.dead[stage+" "+streamName+" "+string(r.Body)+string(r.Envelope)] = r
	}
	return name, nil
}

func (b *bench) Wake(ctx context.Context, stream string, delay time.Duration) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wakes = append(b.wakes, fmt.Sprint(stream, " ", delay))
	return nil
}

// newBench returns a drainer of the streams orders and page-views.
func newBench(t *testing.T, change func(*drain.Config)) *bench {
	t.Helper()
	set, err := stream.Parse([]byte(`{"streams":[{"name":"orders"},{"name":"page-views"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{
		memoryQueue: newMemoryQueue(), delivered: make(map[string][]string), keys: make(map[string]string),
		dead: make(map[string]archive.DeadLetter), summaries: make(map[string]drain.Summary),
	}
	e := env.Defaults(env.ParseDrainer)
	e.Name = "d"
	o := drain.Config{
		Drainer: e, Streams: set, Queue: b.memoryQueue, Kinesis: b, Firehose: b, Archive: b, Waker: b,
		Log: slog.New(slog.NewTextHandler(&b.log, nil)),
		Observe: func(s drain.Summary) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.summaries[s.Stream] = s
		},
	}
	if change != nil {
		change(&o)
	}
	b.handler = drain.New(o)
	return b
}

func (b *bench) sweep(t *testing.T) {
	t.Helper()
	if _, err := b.handler.Invoke(t.Context(), []byte(drain.SweepEvent)); err != nil {
		t.Fatalf("sweep: %v", err)
	}
}

func (b *bench) pushRecords(t *testing.T, name string, n int) []string {
	t.Helper()
	var bodies []string
	for i := range n {
		body := fmt.Sprintf("%s-%04d", name, i)
		bodies = append(bodies, body)
		b.push(name, encode(t, envelope.Record{Stream: name, ReceivedAt: time.Now(), ID: idOf(body), Body: []byte(body)}))
	}
	return bodies
}

// idOf returns the id of the record that pushRecords makes of a body. It is as long
// as a real id.
func idOf(body string) string { return fmt.Sprintf("%36s", "id-"+body) }

func encode(t *testing.T, r envelope.Record) []byte {
	t.Helper()
	e, err := envelope.Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

// wake invokes the drainer with wake-ups, whose ids are their positions, and
// returns the ids that failed.
func (b *bench) wake(t *testing.T, bodies ...string) []string {
	t.Helper()
	var e events.SQSEvent
	for i, body := range bodies {
		e.Records = append(e.Records, events.SQSMessage{MessageId: fmt.Sprint(i), Body: body})
	}
	in, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	out, err := b.handler.Invoke(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	var response events.SQSEventResponse
	if err := json.Unmarshal(out, &response); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, f := range response.BatchItemFailures {
		ids = append(ids, f.ItemIdentifier)
	}
	return ids
}

func rebench(t *testing.T, old *bench, change func(*drain.Config)) *bench {
	b := newBench(t, change)
	b.memoryQueue = old.memoryQueue
	return b
}

func positions(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}
