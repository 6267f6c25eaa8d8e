package bridge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/bridge"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

var (
	_ lambda.Handler = (*bridge.Handler)(nil)

	now     = time.Date(2026, 11, 22, 23, 0, 10, 0, time.UTC)
	arrival = time.Date(2026, 11, 22, 22, 59, 59, 500e6, time.UTC)
)

// firehose is a Firehose that accepts every entry unless refuse refuses it.
type firehose struct {
	refuse func(entries []sink.Entry) sink.Result

	mu   sync.Mutex
	name string
	took [][]byte
}

func (f *firehose) Put(_ context.Context, name string, entries []sink.Entry) sink.Result {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.name = name
	var result sink.Result
	if f.refuse != nil {
		result = f.refuse(entries)
	}
	refused := make(map[int]bool)
	for _, i := range result.Left {
		refused[i] = true
	}
	for _, invalid := range result.Invalid {
		refused[invalid.Index] = true
	}
	for i, e := range entries {
		if !refused[i] {
			f.took = append(f.took, bytes.Clone(e.Data))
		}
	}
	return result
}

func (f *firehose) bytes() []byte { return bytes.Join(f.took, nil) }

// failed keeps dead letters by key. It fails with err, and when fails says so.
type failed struct {
	err   error
	fails func() bool
	puts  []string
	kept  map[string][]archive.DeadLetter
}

func (f *failed) PutDeadLetters(_ context.Context, stage, streamName, name string, records []archive.DeadLetter) (string, error) {
	key := stage + "/" + streamName + "/" + name
	f.puts = append(f.puts, key)
	if f.err != nil {
		return "", f.err
	}
	if f.fails != nil && f.fails() {
		return "", errors.New("archive unreachable")
	}
	if f.kept == nil {
		f.kept = make(map[string][]archive.DeadLetter)
	}
	f.kept[key] = records
	return key, nil
}

// bench is a handler with fakes around it.
type bench struct {
	*bridge.Handler
	firehose  firehose
	failed    failed
	log       bytes.Buffer
	summaries []bridge.Summary
	now       time.Time
}

func setup(tb testing.TB) *bench {
	tb.Helper()
	b := &bench{now: now}
	b.Handler = bridge.New(bridge.Config{
		Bridge: env.Bridge{Base: env.Base{Name: "datasink"}}, Streams: streams(tb), Firehose: &b.firehose, Archive: &b.failed,
		Observe: func(s bridge.Summary) { b.summaries = append(b.summaries, s) },
		Now:     func() time.Time { return b.now }, Log: slog.New(slog.NewJSONHandler(&b.log, nil)),
	})
	return b
}

func streams(tb testing.TB) *stream.Set {
	tb.Helper()
	set, err := stream.Parse([]byte(`{"streams":[{"name":"orders"},{"name":"legacy","format":"raw"},{"name":"gone","retired":true}]}`))
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

// silent discards the log.
var silent = slog.New(slog.DiscardHandler)

// chance draws random numbers from a seed.
type chance struct{ *rand.Rand }

func newChance(seed uint64) chance { return chance{rand.New(rand.NewPCG(seed, 0))} }

// n returns a number from 0 to n-1, and once reports true once in n times.
func (c chance) n(n int) int     { return c.IntN(n) }
func (c chance) once(n int) bool { return c.IntN(n) == 0 }

// sent is one Kinesis record of an event.
type sent struct {
	stream, sequence string
	body             []byte
}

// record returns the record at a position. The sequence numbers of ten records
// or more are not in the order of their text.
func record(position int, body []byte) sent {
	return sent{stream: "datasink.orders", sequence: fmt.Sprint(position + 1), body: body}
}

func records(bodies ...string) []sent {
	var list []sent
	for i, body := range bodies {
		list = append(list, record(i, []byte(body)))
	}
	return list
}

// event returns the Kinesis event of these records, all of one shard.
func event(list []sent) []byte {
	var records []cloud.EventRecord
	for _, r := range list {
		records = append(records, cloud.EventRecord{
			Stream: r.stream, Shard: "shardId-000000000007",
			Record: cloud.Record{SequenceNumber: r.sequence, PartitionKey: "019ab1c2-0000-7000-8000-000000000001", ArrivedAt: arrival, Data: r.body},
		})
	}
	return cloud.KinesisEvent(records...)
}

// packedLines parses the log lines of packed records.
func packedLines(tb testing.TB, log *bytes.Buffer) []pack.Line {
	tb.Helper()
	var lines []pack.Line
	for text := range bytes.Lines(log.Bytes()) {
		line, ok, err := pack.ParseLine(text)
		if err != nil {
			tb.Fatal(err)
		}
		if ok {
			lines = append(lines, line)
		}
	}
	return lines
}

func texts(list [][]byte) []string {
	var all []string
	for _, b := range list {
		all = append(all, string(b))
	}
	return all
}

// invoke returns the sequence number of the first undelivered record, or "".
func invoke(tb testing.TB, h *bridge.Handler, ctx context.Context, event []byte) string {
	tb.Helper()
	answer, err := h.Invoke(ctx, event)
	if err != nil {
		tb.Fatalf("Invoke: %v", err)
	}
	var response events.KinesisEventResponse
	if err := json.Unmarshal(answer, &response); err != nil {
		tb.Fatalf("response %s: %v", answer, err)
	}
	switch len(response.BatchItemFailures) {
	case 0:
		if string(answer) != `{"batchItemFailures":[]}` {
			tb.Fatalf("response = %s, want an empty list in it", answer)
		}
		return ""
	case 1:
		return response.BatchItemFailures[0].ItemIdentifier
	}
	tb.Fatalf("response = %s, want one failure at most", answer)
	return ""
}

// put is a function as a Firehose.
type put func(entries []sink.Entry) sink.Result

func (p put) Put(_ context.Context, _ string, entries []sink.Entry) sink.Result { return p(entries) }
