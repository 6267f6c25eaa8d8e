package bridge_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/data-sink/data-sink/internal/archive"
	"github.com/data-sink/data-sink/internal/bridge"
	"github.com/data-sink/data-sink/internal/sink"
	"github.com/data-sink/data-sink/internal/stream"
	"github.com/google/go-cmp/cmp"
)

var (
	_ lambda.Handler = (*bridge.Handler)(nil)

	now     = time.Date(2026, 11, 22, 23, 0, 10, 0, time.UTC)
	arrival = time.Date(2026, 11, 22, 22, 59, 59, 500e6, time.UTC)
)

// firehose is a Firehose that takes everything but what refuse says.
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

// failed keeps what is put aside, by key, or fails when err is set.
type failed struct {
	err  error
	puts []string
	kept map[string][]archive.Aside
}

func (f *failed) PutAside(_ context.Context, stage, streamName, name string, records []archive.Aside) (string, error) {
	key := stage + "/" + streamName + "/" + name
	f.puts = append(f.puts, key)
	if f.err != nil {
		return "", f.err
	}
	if f.kept == nil {
		f.kept = make(map[string][]archive.Aside)
	}
	f.kept[key] = records
	return key, nil
}

// bench is a handler with what is around it.
type bench struct {
	*bridge.Handler
	firehose  firehose
	failed    failed
	log       bytes.Buffer
	summaries []bridge.Summary
}

func setup(tb testing.TB) *bench {
	tb.Helper()
	b := new(bench)
	b.Handler = bridge.New(bridge.Config{
		Deployment: "datasink", Streams: streams(tb), Firehose: &b.firehose, Archive: &b.failed,
		Observe: func(s bridge.Summary) { b.summaries = append(b.summaries, s) },
		Now:     func() time.Time { return now }, Log: slog.New(slog.NewJSONHandler(&b.log, nil)),
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

func event(tb testing.TB, list []sent) []byte {
	tb.Helper()
	event := []byte(`{"Records":[`)
	for i, r := range list {
		if i > 0 {
			event = append(event, ',')
		}
		event = append(event, `{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"019ab1c2-0000-7000-8000-000000000001","data":"`...)
		event = base64.StdEncoding.AppendEncode(event, r.body)
		sequence, err := json.Marshal(r.sequence)
		if err != nil {
			tb.Fatal(err)
		}
		id, err := json.Marshal("shardId-000000000007:" + r.sequence)
		if err != nil {
			tb.Fatal(err)
		}
		event = fmt.Appendf(event, `","sequenceNumber":%s,"approximateArrivalTimestamp":%d.%03d},"eventID":%s,`, sequence, arrival.Unix(), arrival.Nanosecond()/1e6, id)
		event = append(event, `"eventSource":"aws:kinesis","eventVersion":"1.0","eventName":"aws:kinesis:record","awsRegion":"eu-central-1",`...)
		event = append(event, `"invokeIdentityArn":"arn:aws:iam::123456789012:role/datasink-bridge",`...)
		event = fmt.Appendf(event, `"eventSourceARN":"arn:aws:kinesis:eu-central-1:123456789012:stream/%s"}`, r.stream)
	}
	return append(event, "]}"...)
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

func TestBodiesAreFramedAndPackedIntoOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if first := invoke(t, b.Handler, t.Context(), event(t, records("a", "b\n", "", "\x00\xff", "c\nd"))); first != "" {
		t.Errorf("undelivered from %q on, want nothing", first)
	}
	if want := [][]byte{[]byte("a\nb\n\n\x00\xff\nc\nd\n")}; !cmp.Equal(b.firehose.took, want) || b.firehose.name != "datasink.orders" {
		t.Errorf("%s took %q, want datasink.orders to take %q", b.firehose.name, b.firehose.took, want)
	}
}

func TestRawBodiesStayAsTheyAre(t *testing.T) {
	t.Parallel()
	b := setup(t)
	list := records("", "a", "", "\x1f\x8b", "")
	for i := range list {
		list[i].stream = "datasink.legacy/consumer/fast:1"
	}
	if first := invoke(t, b.Handler, t.Context(), event(t, list)); first != "" {
		t.Errorf("undelivered from %q on, want nothing", first)
	}
	if want := [][]byte{[]byte("a\x1f\x8b")}; !cmp.Equal(b.firehose.took, want) {
		t.Errorf("Firehose took %q, want %q", b.firehose.took, want)
	}
}

func TestRetiredStreamsDrain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if first := invoke(t, b.Handler, t.Context(), event(t, []sent{{"datasink.gone", "1", []byte("a")}})); first != "" || string(b.firehose.bytes()) != "a\n" {
		t.Errorf("undelivered from %q on, Firehose took %q, want all delivered", first, b.firehose.took)
	}
}

func TestNothingToDo(t *testing.T) {
	t.Parallel()
	for _, event := range []string{`{}`, `{"Records":[]}`, `{"Records":null}`, `{"Records":[],"window":{}}`} {
		b := setup(t)
		if first := invoke(t, b.Handler, t.Context(), []byte(event)); first != "" || len(b.firehose.took) > 0 || len(b.summaries) > 0 {
			t.Errorf("%s: undelivered from %q on, Firehose took %q, want nothing", event, first, b.firehose.took)
		}
	}
	b := setup(t)
	list := []sent{{"datasink.legacy", "1", []byte{}}}
	if first := invoke(t, b.Handler, t.Context(), event(t, list)); first != "" || len(b.firehose.took) > 0 {
		t.Errorf("a raw record of no bytes: undelivered from %q on, Firehose took %q, want nothing", first, b.firehose.took)
	}
}

func TestStreamThatIsNotInTheSetIsKept(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"datasink.removed", "other.orders", "orders", "datasink.", "datasinkxorders", ""} {
		b := setup(t)
		list := append(records("a"), sent{name, "2", []byte("b")})
		answer, err := b.Invoke(t.Context(), event(t, list))
		if err == nil || !strings.Contains(err.Error(), "stream/"+name+": not a stream of datasink") || answer != nil {
			t.Errorf("stream %q: Invoke = %s, %v, want an error that names it", name, answer, err)
		}
		if len(b.firehose.took) > 0 {
			t.Errorf("stream %q: Firehose took %q, want nothing: the whole event comes again", name, b.firehose.took)
		}
	}
}

func TestSeveralStreamsInOneEvent(t *testing.T) {
	t.Parallel()
	list := []sent{
		{"datasink.orders", "9", []byte("a")},
		{"datasink.legacy", "8", []byte("b")},
		{"datasink.legacy", "7", []byte("c")},
		{"datasink.orders", "6", []byte("d")},
	}
	b := setup(t)
	if first := invoke(t, b.Handler, t.Context(), event(t, list)); first != "" || string(b.firehose.bytes()) != "a\nbcd\n" {
		t.Errorf("undelivered from %q on, Firehose took %q, want each in its format", first, b.firehose.took)
	}
	b = setup(t)
	b.firehose.refuse = func(entries []sink.Entry) sink.Result {
		if string(entries[0].Data) == "bc" {
			return sink.Result{Left: []int{0}, Err: errors.New("away")}
		}
		return sink.Result{}
	}
	if first := invoke(t, b.Handler, t.Context(), event(t, list)); first != "8" || string(b.firehose.bytes()) != "a\n" {
		t.Errorf("undelivered from %q on, Firehose took %q, want 8 and only what stands before it", first, b.firehose.took)
	}
}

func TestConcurrentInvocationsKeepApart(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	took := make(map[string]bool)
	h := bridge.New(bridge.Config{
		Deployment: "datasink", Streams: streams(t), Archive: &failed{}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Firehose: put(func(entries []sink.Entry) sink.Result {
			mu.Lock()
			defer mu.Unlock()
			took[string(entries[0].Data)] = true
			return sink.Result{}
		}),
	})
	for i := range 50 {
		body := strings.Repeat(string(rune('A'+i)), 10_000)
		wg.Go(func() {
			for range 10 {
				if first := invoke(t, h, t.Context(), event(t, records(body, body))); first != "" {
					t.Errorf("undelivered from %q on, want nothing", first)
				}
			}
		})
	}
	wg.Wait()
	for i := range 50 {
		body := strings.Repeat(string(rune('A'+i)), 10_000)
		if !took[body+"\n"+body+"\n"] {
			t.Errorf("the bodies of invocation %d did not arrive as they were", i)
		}
	}
	if len(took) != 50 {
		t.Errorf("%d different Firehose records, want 50", len(took))
	}
}

// put is a Firehose that is a function.
type put func(entries []sink.Entry) sink.Result

func (p put) Put(_ context.Context, _ string, entries []sink.Entry) sink.Result { return p(entries) }
