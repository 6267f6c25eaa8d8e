package page

import (
	"testing"

	"pgregory.net/rapid"
)

// The numbers add up whatever the counters are, because they are read while records
// move and while some are counted late.
func TestTheBalanceAddsUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, 1000)
		accepted, written := n.Draw(t, "accepted by Firehose"), n.Draw(t, "written")
		m := newMeter("orders", func() (int64, int64) { return accepted, written })
		m.pushed.Store(n.Draw(t, "pushed"))
		m.foundInRedis, m.foundOnTap = n.Draw(t, "found in Redis"), n.Draw(t, "found on the tap")
		m.direct.Store(n.Draw(t, "direct"))
		m.forwarded.Store(n.Draw(t, "forwarded"))
		m.deadAtDrainer.Store(n.Draw(t, "dead at the drainer"))
		m.tapped.Store(n.Draw(t, "tapped"))
		m.bridged.Store(n.Draw(t, "bridged"))
		m.deadAtBridge.Store(n.Draw(t, "dead at the bridge"))
		m.drained.Store(n.Draw(t, "drained"))
		m.crossing.took(n.Draw(t, "in Firehose"))
		m.missing = n.Draw(t, "missing")
		b := m.balance()
		if left, right := b.accepted+b.copies, b.redis+b.missing+b.tap+b.firehose+b.archive+b.dead; left != right {
			t.Errorf("%+v: %d on the left, %d on the right", b, left, right)
		}
		for _, part := range []int64{b.accepted, b.copies, b.redis, b.missing, b.tap, b.firehose, b.archive, b.dead, b.onTheWay()} {
			if part < 0 {
				t.Errorf("%+v has a negative number", b)
			}
		}
	})
}

// idle is the progress of a Firehose that accepts nothing.
func idle() (accepted, written int64) { return 0, 0 }

func TestRecordsAreMissingOnceThreeSamplesSaySo(t *testing.T) {
	t.Parallel()
	m := newMeter("orders", idle)
	m.pushed.Store(40)
	for i, tt := range []struct{ low, missing int64 }{
		{0, 0}, {40, 0}, {40, 0}, {40, 40}, {30, 30}, {40, 30}, {-5, 0}, {40, 0},
	} {
		m.observe(inspection{low: tt.low})
		if b := m.balance(); b.missing != tt.missing || b.redis != 40-tt.missing {
			t.Errorf("sample %d: missing %d of %d in Redis, want %d of 40", i, b.missing, b.redis+b.missing, tt.missing)
		}
	}
}

// A drainer that has put a claim to the tap before Redis lost it has lost nothing.
func TestRecordsOnTheTapAreNotMissing(t *testing.T) {
	t.Parallel()
	m := newMeter("orders", idle)
	m.pushed.Store(40)
	m.tapped.Store(25)
	m.missing = 40
	if b := m.balance(); b.missing != 15 || b.copies != 0 || b.tap != 25 || b.redis != 0 {
		t.Errorf("balance %+v, want 25 on the tap and 15 missing", b)
	}
}

func TestTheAnswerIsOneSentence(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		b    balance
		down bool
		want string
	}{
		{balance{}, false, "No record was accepted yet."},
		{balance{accepted: 5, archive: 5}, false, "No: all accepted records are in the archive."},
		{balance{accepted: 5, archive: 4, tap: 1}, false, "No: 1 record is on the way to the archive."},
		{balance{accepted: 5000, redis: 5000}, false, "No: 5,000 records are on the way to the archive."},
		{balance{accepted: 5, redis: 5}, true, "Unknown: Redis is unreachable, and 5 records wait there."},
		{balance{accepted: 5, archive: 5}, true, "No: all accepted records are in the archive."},
		{balance{accepted: 5, archive: 4, missing: 1}, false, "Yes: Redis has lost 1 record."},
		{balance{accepted: 5, archive: 4, dead: 1}, false, "No: 1 record is a dead letter under failed/. All others are in the archive."},
	} {
		if got := tt.b.answer(tt.down); got != tt.want {
			t.Errorf("answer of %+v = %q, want %q", tt.b, got, tt.want)
		}
	}
}
