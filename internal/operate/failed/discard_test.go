package failed_test

import (
	"testing"

	"github.com/data-sink/data-sink/internal/operate/failed"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/google/go-cmp/cmp"
)

func TestDiscardMarksTheRecordsThatCannotBeSent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.aside(archive.StageDrainer, "orders", "claim",
		archive.DeadLetter{Reason: "undecodable", FailedAt: at, Envelope: []byte("junk")},
		archive.DeadLetter{Reason: "invalid", FailedAt: at, Body: []byte("good")},
	)
	discard := func(want int) {
		t.Helper()
		if n, err := failed.Discard(t.Context(), b.bucket, b.store, b.list(failed.Filter{})[0], "a bug of last year", at); n != want || err != nil {
			t.Errorf("Discard = %d, %v, want %d", n, err, want)
		}
	}
	discard(1)
	discard(0)
	want := &failed.Marker{Left: []int{1}, Discarded: &failed.Discarded{At: at, Reason: "a bug of last year", Records: []int{0}}}
	if diff := cmp.Diff(want, b.list(failed.Filter{})[0].Marker); diff != "" {
		t.Errorf("marker differs (-want +got):\n%s", diff)
	}
	b.redrive(b.redriver(t))
	if diff := cmp.Diff([]string{"orders  good"}, b.taken()); diff != "" {
		t.Errorf("accepted bodies differ (-want +got):\n%s", diff)
	}
	m := b.list(failed.Filter{})[0].Marker
	if !m.IsDone() || m.Discarded == nil {
		t.Errorf("marker is %+v, want it done, with what was discarded", m)
	}
}

func TestDiscardMarksAMalformedObject(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("failed/bridge/orders/x", "not JSON")
	o := b.list(failed.Filter{})[0]
	if err := b.redriver(t).Redrive(t.Context(), o); err == nil {
		t.Error("Redrive of a malformed object: no error")
	}
	if _, err := failed.Discard(t.Context(), b.bucket, b.store, o, "a test", at); err != nil {
		t.Fatal(err)
	}
	o = b.list(failed.Filter{})[0]
	if !o.Marker.IsDone() || !o.Marker.Discarded.All {
		t.Errorf("marker is %+v, want the whole object discarded", o.Marker)
	}
	if err := b.redriver(t).Redrive(t.Context(), o); err != nil {
		t.Errorf("Redrive of a discarded object = %v, want none", err)
	}
}
