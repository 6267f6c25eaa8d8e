package drain_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/metrictest"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// firehose is the Firehose of a bench, beside its Kinesis.
type firehose struct{ *bench }

func (f firehose) Put(ctx context.Context, stream string, entries []sink.Entry) sink.Result {
	for _, e := range entries {
		if e.PartitionKey != "" {
			return sink.Result{Left: positions(len(entries)), Err: errors.New("Firehose has no partition keys")}
		}
	}
	return f.bench.Put(ctx, "firehose/"+stream, entries)
}

// newFirehoseBench returns a drainer of the stream orders, which feeds a tap, and of
// two that do not: untapped and ending.
func newFirehoseBench(t *testing.T) *bench {
	t.Helper()
	set, err := stream.Parse([]byte(`{"streams":[{"name":"orders"},{"name":"untapped","tap":false},{"name":"ending","tap":"ending"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var f firehose
	f.bench = newBench(t, func(c *drain.Config) { c.Streams, c.Firehose = set, &f })
	return f.bench
}

// lines returns the logged packed records, without their times.
func (b *bench) lines(t *testing.T) []pack.Line {
	t.Helper()
	var lines []pack.Line
	for text := range bytes.Lines(b.log.Bytes()) {
		line, ok, err := pack.ParseLine(text)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestRecordsOfAStreamThatFeedsNoTapGoToFirehosePacked(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"untapped", "ending"} {
		b := newFirehoseBench(t)
		bodies := b.pushRecords(t, name, 1200) // three claims
		tapped := b.pushRecords(t, "orders", 3)
		b.sweep(t)
		packed := b.delivered["firehose/d."+name]
		if got, want := sorted(strings.Split(strings.TrimSuffix(strings.Join(packed, ""), "\n"), "\n")), bodies; !slices.Equal(got, want) {
			t.Errorf("%s: Firehose got %d lines, want each of the %d bodies on a line of its own", name, len(got), len(want))
		}
		if diff := cmp.Diff(tapped, sorted(b.delivered["d.orders"])); diff != "" || len(b.delivered["d."+name]) > 0 {
			t.Errorf("%s: Kinesis got %d records of it, and of orders (-want +got):\n%s", name, len(b.delivered["d."+name]), diff)
		}
		var want []pack.Line
		for _, p := range packed {
			want = append(want, pack.Line{Stream: name, Bytes: len(p), Records: strings.Count(p, "\n"), Hash: xxhash.Sum64String(p)})
		}
		byHash := cmpopts.SortSlices(func(a, b pack.Line) bool { return a.Hash < b.Hash })
		if diff := cmp.Diff(want, b.lines(t), byHash, cmpopts.IgnoreFields(pack.Line{}, "LoggedAt")); diff != "" || len(want) != 3 {
			t.Errorf("%s: log lines of %d packed records (-want +got):\n%s", name, len(want), diff)
		}
		if s := b.summaries[name]; s.Forwarded != 1200 || s.Packed != 3 || b.summaries["orders"].Packed != 0 {
			t.Errorf("%s: summary %+v, want 1200 records in 3 packed records", name, s)
		}
		if got, want := b.state(name), "depth=0 claims=0 forwarded=1200 dead=0 err=<nil>"; got != want {
			t.Errorf("queue of %s: %s, want %s", name, got, want)
		}
	}
}

// invalid refuses packed records that contain a text.
func invalid(text string) func(context.Context, string, []sink.Entry) sink.Result {
	return func(_ context.Context, _ string, entries []sink.Entry) sink.Result {
		var r sink.Result
		for i, e := range entries {
			if bytes.Contains(e.Data, []byte(text)) {
				r.Invalid = append(r.Invalid, sink.Invalid{Index: i, Reason: "too odd"})
			}
		}
		return r
	}
}

func TestOnlyTheInvalidRecordOfAPackedRecordIsADeadLetter(t *testing.T) {
	t.Parallel()
	b := newFirehoseBench(t)
	bodies := b.pushRecords(t, "untapped", 5)
	b.put = invalid(bodies[2])
	b.sweep(t)
	if diff := cmp.Diff([]string{"drainer untapped " + bodies[2]}, slices.Sorted(maps.Keys(b.dead))); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	if r := b.dead["drainer untapped "+bodies[2]]; r.Reason != "Firehose refused the record: too odd" || r.ID != idOf(bodies[2]) || r.ReceivedAt.IsZero() {
		t.Errorf("dead letter %+v", r)
	}
	want := []string{bodies[0] + "\n", bodies[1] + "\n", bodies[3] + "\n", bodies[4] + "\n"}
	if diff := cmp.Diff(want, sorted(b.delivered["firehose/d.untapped"])); diff != "" {
		t.Errorf("Firehose got (-want +got):\n%s", diff)
	}
	if n := len(b.lines(t)); n != 4 {
		t.Errorf("%d log lines of packed records, want one for each that Firehose accepted", n)
	}
	if got, want := b.state("untapped"), "depth=0 claims=0 forwarded=4 dead=1 err=<nil>"; got != want {
		t.Errorf("queue: %s, want %s", got, want)
	}
}

func TestRecordsThatFirehoseLeavesReturnToTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newFirehoseBench(t)
		bodies := b.pushRecords(t, "untapped", 10)
		calls := 0
		b.put = func(_ context.Context, _ string, entries []sink.Entry) sink.Result {
			if calls++; calls == 1 {
				return sink.Result{Left: positions(len(entries)), Throttled: len(entries), Err: sink.ErrThrottled}
			}
			return sink.Result{}
		}
		b.sweep(t)
		if got := strings.Join(b.delivered["firehose/d.untapped"], ""); got != strings.Join(bodies, "\n")+"\n" {
			t.Errorf("Firehose got %q, want each body once", got)
		}
		s := b.summaries["untapped"]
		if got, want := [4]int{s.Claimed, s.Left, s.Forwarded, s.Throttled}, [4]int{20, 10, 10, 1}; got != want {
			t.Errorf("%v claimed, left, forwarded, throttled; want %v", got, want)
		}
		if !errors.Is(s.Err, sink.ErrThrottled) {
			t.Errorf("the error of the summary is %v, want %v", s.Err, sink.ErrThrottled)
		}
	})
}

// A packed record that is refused with its whole call waits, until its records are
// old.
func TestDoubtfulRecordsOfFirehoseAreDeadLettersWhenTheyAreOld(t *testing.T) {
	t.Parallel()
	b := newFirehoseBench(t)
	push := func(body string, age time.Duration) {
		b.push("untapped", encode(t, envelope.Record{Stream: "untapped", ReceivedAt: time.Now().Add(-age), ID: idOf(body), Body: []byte(body)}))
	}
	push("old", sink.DoubtfulAge+time.Minute)
	push("young", time.Minute)
	b.put = func(_ context.Context, _ string, entries []sink.Entry) sink.Result {
		r := sink.Result{Left: positions(len(entries)), Err: sink.ErrInvalid}
		for i := range entries {
			r.Doubtful = append(r.Doubtful, sink.Invalid{Index: i, Reason: "no"})
		}
		return r
	}
	b.sweep(t)
	if diff := cmp.Diff([]string{"drainer untapped old"}, slices.Sorted(maps.Keys(b.dead))); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	if got, want := b.state("untapped"), "depth=1 claims=0 forwarded=0 dead=1 err=<nil>"; got != want {
		t.Errorf("queue: %s, want the young record in it: %s", got, want)
	}
}

func TestMetricsOfAStreamThatFeedsNoTap(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	m := drain.Metrics{Writer: metric.NewWriter(&out, "d", true)}
	m.Observe(drain.Summary{Stream: "untapped", Claimed: 5, Forwarded: 5, Packed: 2, MaxAge: 3 * time.Second})
	texts := metrictest.Texts(metrictest.Read(t, out.Bytes()))
	for name, want := range map[string]bool{"Bridged ": true, "Packed ": true, "FirehoseAge ": true, "Forwarded ": true, "TapAge ": false} {
		if got := slices.ContainsFunc(texts, func(s string) bool { return strings.HasPrefix(s, name) }); got != want {
			t.Errorf("metric %s is written: %v, want %v; all are %q", name, got, want, texts)
		}
	}
}
