package bridge_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/bridge"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
)

// pairs returns records of which two fill a Firehose record.
func pairs(n int) []sent {
	var list []sent
	for i := range 2 * n {
		list = append(list, record(i, bytes.Repeat([]byte{byte('a' + i)}, stream.MaxFramedBytes/2-1)))
	}
	return list
}

func TestTheFirstUndeliveredRecordIsNamedByPosition(t *testing.T) {
	t.Parallel()
	const n = 6 // the sequence numbers 10, 11 and 12 are smaller than 9 as texts
	event := event(pairs(n))
	lefts := [][]int{nil}
	for i := range n {
		lefts = append(lefts, []int{i})
		for j := i + 1; j < n; j++ {
			lefts = append(lefts, []int{i, j})
		}
	}
	for _, left := range lefts {
		b := setup(t)
		b.firehose.refuse = func([]sink.Entry) sink.Result { return sink.Result{Left: left, Err: errors.New("away")} }
		want := ""
		if len(left) > 0 {
			want = fmt.Sprint(2*left[0] + 1)
		}
		if first := invoke(t, b.Handler, t.Context(), event); first != want {
			t.Fatalf("Firehose records %v left: undelivered from %q on, want %q", left, first, want)
		}
		if got, want := strings.Count(b.log.String(), `"msg":"packed"`), n-len(left); got != want {
			t.Errorf("Firehose records %v left: %d lines of packed ones, want %d", left, got, want)
		}
	}
}

func TestTheNextRunDeliversTheRest(t *testing.T) {
	t.Parallel()
	list := pairs(5)
	b := setup(t)
	b.firehose.refuse = func([]sink.Entry) sink.Result {
		return sink.Result{Left: []int{2, 4}, Err: errors.New("putting 2 entries: throttled"), Calls: 3, Retried: 2, Throttled: 4}
	}
	first := invoke(t, b.Handler, t.Context(), event(list))
	if first != "5" {
		t.Fatalf("undelivered from %q on, want 5", first)
	}
	line := `"level":"WARN","msg":"undelivered","stream":"orders","records":6,"firstSequence":"5","error":"putting 2 entries: throttled"`
	if strings.Count(b.log.String(), line) != 1 {
		t.Errorf("log has no line, or several, with %s:\n%s", line, &b.log)
	}
	b.firehose.refuse = nil
	if first := invoke(t, b.Handler, t.Context(), event(list[4:])); first != "" {
		t.Fatalf("undelivered from %q on in the second run, want nothing", first)
	}
	for i := range 5 {
		times := 1
		if i == 3 {
			times = 2 // delivered behind the first undelivered one
		}
		want := bytes.Join([][]byte{list[2*i].body, list[2*i+1].body, nil}, []byte("\n"))
		got := 0
		for _, body := range b.firehose.took {
			if bytes.Equal(body, want) {
				got++
			}
		}
		if got != times {
			t.Errorf("Firehose record %d delivered %d times, want %d", i, got, times)
		}
	}
	pair := stream.MaxFramedBytes
	want := []bridge.Summary{
		{Stream: "orders", Records: 6, Bytes: 3 * pair, Packed: 3, Undelivered: 6, Calls: 3, Retried: 2, Throttled: 4, Age: 10500 * time.Millisecond},
		{Stream: "orders", Records: 6, Bytes: 3 * pair, Packed: 3, Age: 10500 * time.Millisecond},
	}
	if diff := cmp.Diff(want, b.summaries); diff != "" {
		t.Errorf("summaries differ (-want +got):\n%s", diff)
	}
}

func TestWhatFirehoseNeverTakesIsPutAside(t *testing.T) {
	t.Parallel()
	list := pairs(3)
	b := setup(t)
	b.firehose.refuse = func([]sink.Entry) sink.Result {
		return sink.Result{Invalid: []sink.Invalid{{Index: 1, Reason: "refused"}}}
	}
	for range 2 { // a retry replaces the object
		if first := invoke(t, b.Handler, t.Context(), event(list)); first != "" {
			t.Errorf("undelivered from %q on, want nothing", first)
		}
	}
	aside := func(i int) archive.DeadLetter {
		return archive.DeadLetter{
			Stream: "orders", Reason: "Firehose record of these: refused", FailedAt: now, ReceivedAt: arrival,
			ID: "shardId-000000000007:" + list[i].sequence, PartitionKey: "019ab1c2-0000-7000-8000-000000000001", Body: list[i].body,
		}
	}
	want := map[string][]archive.DeadLetter{"bridge/orders/shardId-000000000007-3": {aside(2), aside(3)}}
	if diff := cmp.Diff(want, b.failed.kept, cmp.Comparer(bytes.Equal)); diff != "" {
		t.Errorf("failed/ differs (-want +got):\n%s", diff)
	}
	if got := b.summaries[0]; got.Aside != 2 || got.Records != 4 || got.Packed != 2 || got.Undelivered != 0 {
		t.Errorf("summary = %+v, want 2 records aside and 4 in 2 Firehose records", got)
	}
	line := `"level":"ERROR","msg":"records_put_aside","stream":"orders","records":2,"key":"bridge/orders/shardId-000000000007-3","reason":"Firehose record of these: refused"`
	if strings.Count(b.log.String(), line) != 2 || strings.Count(b.log.String(), `"packed"`) != 4 {
		t.Errorf("log, want twice %s and 4 packed ones:\n%s", line, &b.log)
	}
	for _, r := range list {
		if strings.Contains(b.log.String(), string(r.body[:20])) {
			t.Error("the log holds a body")
		}
	}
}

func TestBodiesOverTheLimitArePutAside(t *testing.T) {
	t.Parallel()
	list := []sent{
		record(0, []byte("a")),
		record(1, bytes.Repeat([]byte{'b'}, stream.MaxFramedBytes)), // one over with its newline
		record(2, append(bytes.Repeat([]byte{'c'}, stream.MaxFramedBytes-1), '\n')),
		record(3, bytes.Repeat([]byte{'d'}, 5<<20)),
		record(4, []byte("e")),
	}
	b := setup(t)
	if first := invoke(t, b.Handler, t.Context(), event(list)); first != "" {
		t.Errorf("undelivered from %q on, want nothing", first)
	}
	if want := [][]byte{[]byte("a\n"), list[2].body, []byte("e\n")}; !cmp.Equal(want, b.firehose.took, cmp.Comparer(bytes.Equal)) {
		t.Errorf("Firehose took records of %d bytes, want %d", lengths(b.firehose.took), lengths(want))
	}
	for _, i := range []int{1, 3} {
		kept := b.failed.kept["bridge/orders/shardId-000000000007-"+list[i].sequence]
		if len(kept) != 1 || !bytes.Equal(kept[0].Body, list[i].body) || kept[0].Reason != "over the limit of 1024000 bytes when framed" {
			t.Errorf("record %d: %d records under failed/, want its body, with the reason", i, len(kept))
		}
	}
	if len(b.failed.kept) != 2 {
		t.Errorf("%d objects under failed/, want 2", len(b.failed.kept))
	}
}

func TestWhatCannotBePutAsideIsUndelivered(t *testing.T) {
	t.Parallel()
	list := append(pairs(3), record(6, bytes.Repeat([]byte{'z'}, stream.MaxFramedBytes)))
	for name, tt := range map[string]struct {
		result sink.Result
		want   string
		puts   int
	}{
		"invalid first":                 {sink.Result{Invalid: []sink.Invalid{{Index: 1}, {Index: 2}}}, "3", 1},
		"oversize alone":                {sink.Result{}, "7", 1},
		"left stands before":            {sink.Result{Left: []int{0}, Invalid: []sink.Invalid{{Index: 1}}, Err: errors.New("away")}, "1", 0},
		"invalid stands before what is": {sink.Result{Left: []int{2}, Invalid: []sink.Invalid{{Index: 1}}, Err: errors.New("away")}, "3", 1},
	} {
		b := setup(t)
		b.failed.err = errors.New("archive away")
		b.firehose.refuse = func([]sink.Entry) sink.Result { return tt.result }
		if first := invoke(t, b.Handler, t.Context(), event(list)); first != tt.want || len(b.failed.puts) != tt.puts {
			t.Errorf("%s: undelivered from %q on, %d tries to put aside, want %q and %d", name, first, len(b.failed.puts), tt.want, tt.puts)
		}
		if b.summaries[0].Aside != 0 || strings.Contains(b.log.String(), bridge.LogAside) || strings.Count(b.log.String(), bridge.LogUndelivered) != 1 {
			t.Errorf("%s: summary %+v, want nothing aside and one line that says so:\n%s", name, b.summaries[0], &b.log)
		}
	}
}

func TestNamesOfWhatIsPutAsideFitAKey(t *testing.T) {
	t.Parallel()
	for sequence, want := range map[string]string{
		"1":                      "shardId-000000000007-1",
		"../../x\x00":            "shardId-000000000007-------x-",
		"ä":                      "shardId-000000000007--",
		strings.Repeat("9", 300): strings.Repeat("9", 180),
	} {
		b := setup(t)
		list := []sent{{"datasink.orders", sequence, bytes.Repeat([]byte{'z'}, stream.MaxFramedBytes)}}
		invoke(t, b.Handler, t.Context(), event(list))
		if len(b.failed.puts) != 1 || b.failed.puts[0] != "bridge/orders/"+want {
			t.Errorf("sequence number %q: put aside as %q, want %q", sequence, b.failed.puts, want)
		}
	}
}
