package bridge_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/bridge"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
)

// pairs returns 2n records, of which each two fill a Firehose record.
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
		b.firehose.refuse = func([]sink.Entry) sink.Result { return sink.Result{Left: left, Err: errors.New("unreachable")} }
		want := ""
		if len(left) > 0 {
			want = fmt.Sprint(2*left[0] + 1)
		}
		if first := invoke(t, b.Handler, t.Context(), event); first != want {
			t.Fatalf("Firehose records %v left: undelivered from %q on, want %q", left, first, want)
		}
		if got, want := strings.Count(b.log.String(), `"msg":"packed"`), n-len(left); got != want {
			t.Errorf("Firehose records %v left: %d lines of packed records, want %d", left, got, want)
		}
	}
}

func TestTheNextRunDeliversTheRest(t *testing.T) {
	t.Parallel()
	list := pairs(5)
	b := setup(t)
	b.firehose.refuse = func([]sink.Entry) sink.Result {
		return sink.Result{Left: []int{2, 4}, Err: errors.New("putting 2 entries: throttled")}
	}
	first := invoke(t, b.Handler, t.Context(), event(list))
	if first != "5" {
		t.Fatalf("undelivered from %q on, want 5", first)
	}
	line := `"level":"WARN","msg":"undelivered","stream":"orders","records":6,"firstSequence":"5","error":"putting 2 entries: throttled"`
	if strings.Count(b.log.String(), line) != 1 {
		t.Errorf("want one line with %s in the log:\n%s", line, &b.log)
	}
	b.firehose.refuse = nil
	if first := invoke(t, b.Handler, t.Context(), event(list[4:])); first != "" {
		t.Fatalf("undelivered from %q on in the second run, want nothing", first)
	}
	for i := range 5 {
		times := 1
		if i == 3 {
			times = 2 // delivered behind the first undelivered record
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
	want := []bridge.Summary{
		{Stream: "orders", Records: 6, Packed: 3, Settled: 4, Undelivered: 6, Age: 10500 * time.Millisecond},
		{Stream: "orders", Records: 6, Packed: 3, Settled: 6, Age: 10500 * time.Millisecond},
	}
	if diff := cmp.Diff(want, b.summaries); diff != "" {
		t.Errorf("summaries differ (-want +got):\n%s", diff)
	}
}
