package verify_test

import (
	"context"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/operate/tap"
	"github.com/data-sink/data-sink/internal/operate/verify"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestTheTapIsComparedWithTheBridge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		// make sends more through a world with three records on the tap, bridged.
		make func(w *world)
		want []verify.Finding
		also func(r *verify.Report) bool
	}{
		{"equal", func(*world) {}, nil, func(r *verify.Report) bool { return r.Tap.Records == 3 && r.Tap.Bytes == 11 }},
		{"never bridged", func(w *world) {
			w.tapped("lost", "lost too")
			w.bridged("d")
		}, []verify.Finding{
			{Kind: verify.Missing, Hop: "bridge", Records: 2, Bytes: 12, FirstSequence: "1003", LastSequence: "1004"},
		}, nil},
		{"bridged twice", func(w *world) { w.batch(1, "two", "three") }, []verify.Finding{
			{Kind: verify.Twice, Hop: "bridge", Records: 2, Bytes: 8, FirstSequence: "1001", LastSequence: "1002"},
		}, nil},
		{"a dead letter", func(w *world) { w.tapped("poison") }, nil, func(r *verify.Report) bool {
			return r.DeadLettered == verify.Count{Records: 1, Bytes: 6}
		}},
		{"in flight", func(w *world) {
			w.now = base.Add(time.Hour - time.Second)
			w.tapped("young")
		}, nil, func(r *verify.Report) bool { return r.TapInFlight == verify.Count{Records: 1, Bytes: 5} }},
		{"fewer than there were", func(w *world) {
			w.tapped("d", "e")
			w.batch(3, "d", "e")
			w.tap[4].Sequence = "1004.5" // so there is one more between them
			w.tap = append(w.tap[:4:4], tap.Record{Shard: "shardId-0", Sequence: "1003.5", ArrivedAt: w.tap[3].ArrivedAt}, tap.Record{Shard: "shardId-0", Sequence: "1004", ArrivedAt: w.tap[3].ArrivedAt})
		}, []verify.Finding{
			{Kind: verify.Changed, Hop: "bridge", Records: 3, Packed: 1, FirstSequence: "1003", LastSequence: "1004"},
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.bridged("one", "two", "three")
			tt.make(w)
			w.deliver(0)
			c := w.config()
			c.Tap = w.readTap
			c.DeadLetters = func(_ context.Context, each func(shard, sequence string)) error {
				if tt.name == "a dead letter" {
					each("shardId-0", "1003")
				}
				return nil
			}
			c.Now = func() time.Time { return base.Add(time.Hour) }
			r := run(t, c)
			ignore := cmpopts.IgnoreFields(verify.Finding{}, "Detail", "LoggedAt")
			if diff := cmp.Diff(tt.want, r.Findings, ignore, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("findings differ (-want +got):\n%s", diff)
			}
			if tt.also != nil && !tt.also(r) {
				t.Errorf("report is %+v, tap %+v", r, r.Tap)
			}
		})
	}
}

func TestAPackedRecordMayReachOverTheWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.now = base.Add(-time.Second)
	w.tapped("before")
	w.now = base
	w.tapped("within")
	w.batch(0, "before", "within")
	w.now = base.Add(time.Hour - time.Second)
	w.tapped("within")
	w.now = base.Add(time.Hour)
	w.tapped("after")
	w.batch(2, "within", "after")
	w.deliver(0)
	c := w.config()
	c.Tap = w.readTap
	if r := run(t, c); !r.Equal() || r.Tap.Records != 2 {
		t.Errorf("findings %v, tap %+v", r.Findings, r.Tap)
	}
}
