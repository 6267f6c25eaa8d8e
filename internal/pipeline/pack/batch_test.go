package pack_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
)

// firehose answers each Put with the result that it returns for the entries.
type firehose func(entries []string) sink.Result

func (f firehose) Put(_ context.Context, _ string, entries []sink.Entry) sink.Result {
	var texts []string
	for _, e := range entries {
		texts = append(texts, string(e.Data))
	}
	return f(texts)
}

// batchOf returns a batch of bodies. old are the positions of the old records.
func batchOf(format stream.Format, bodies []string, old ...int) *pack.Batch {
	return &pack.Batch{
		Firehose: "d.orders", Format: format, Records: len(bodies),
		AppendBody: func(dst []byte, i int) ([]byte, error) { return append(dst, bodies[i]...), nil },
		IsOld:      func(i int) bool { return slices.Contains(old, i) },
	}
}

func partsOf(t *testing.T, b *pack.Batch) []pack.Part {
	t.Helper()
	_, parts, err := b.Parts(nil)
	if err != nil {
		t.Fatal(err)
	}
	return parts
}

func TestOnlyTheInvalidRecordsOfAPartAreRefused(t *testing.T) {
	t.Parallel()
	b := batchOf(stream.Lines, []string{"a", "bad", "c"})
	refuseBad := firehose(func(entries []string) sink.Result {
		var r sink.Result
		for i, e := range entries {
			if strings.Contains(e, "bad") {
				r.Invalid = append(r.Invalid, sink.Invalid{Index: i, Reason: "no"})
			}
		}
		return r
	})
	parts := partsOf(t, b)
	b.Send(t.Context(), refuseBad, parts)
	if len(parts) != 1 || parts[0].Outcome != pack.Refused {
		t.Fatalf("parts after the first call: %+v, want one refused part", parts)
	}
	all, split, err := b.SplitRefused(parts)
	if err != nil || !split {
		t.Fatalf("SplitRefused = %v, %v, want parts of one record", split, err)
	}
	b.Send(t.Context(), refuseBad, all)
	want := []pack.Part{
		{Packed: pack.Packed{First: 0, End: 1, Body: []byte("a\n")}, Outcome: pack.Delivered},
		{Packed: pack.Packed{First: 1, End: 2, Body: []byte("bad\n")}, Outcome: pack.Refused, Reason: "Firehose refused the record: no"},
		{Packed: pack.Packed{First: 2, End: 3, Body: []byte("c\n")}, Outcome: pack.Delivered},
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
	if again, split, _ := b.SplitRefused(all); split || len(again) != 3 {
		t.Errorf("parts of one record are split again: %+v", again)
	}
}

func TestADoubtfulPartIsRefusedWhenAllItsRecordsAreOld(t *testing.T) {
	t.Parallel()
	doubt := firehose(func(entries []string) sink.Result {
		var r sink.Result
		for i := range entries {
			r.Left = append(r.Left, i)
			r.Doubtful = append(r.Doubtful, sink.Invalid{Index: i, Reason: "no"})
		}
		return r
	})
	for _, tt := range []struct {
		old  []int
		want pack.Outcome
	}{{nil, pack.Doubtful}, {[]int{1}, pack.Doubtful}, {[]int{0, 1}, pack.Refused}} {
		b := batchOf(stream.Lines, []string{"a", "b"}, tt.old...)
		parts := partsOf(t, b)
		b.Send(t.Context(), doubt, parts)
		if len(parts) != 1 || parts[0].Outcome != tt.want {
			t.Errorf("old %v: %+v, want one part with outcome %d", tt.old, parts, tt.want)
		}
	}
}

func TestARecordOverTheLimitIsRefusedInItsPlace(t *testing.T) {
	t.Parallel()
	b := batchOf(stream.Raw, []string{"a", strings.Repeat("x", stream.MaxFramedBytes+1), "", "c"})
	parts := partsOf(t, b)
	var sent []string
	b.Send(t.Context(), firehose(func(entries []string) sink.Result {
		sent = append(sent, entries...)
		return sink.Result{}
	}), parts)
	if got := strings.Join(sent, "|"); got != "a|c" {
		t.Errorf("Firehose got %q, want the records within the limit", got)
	}
	if len(parts) != 3 || parts[1].Outcome != pack.Refused || parts[1].First != 1 || !strings.Contains(parts[1].Reason, "over the limit") {
		t.Errorf("parts %+v, want the record over the limit refused", parts)
	}
}
