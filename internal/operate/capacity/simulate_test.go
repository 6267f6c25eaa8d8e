package main

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestSimulationConservesRecords(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8)) // the same in every run
	for i := range 60 {
		l := loadOf(float64(1+random.IntN(8_000)), 1<<random.IntN(15), 1+random.IntN(20))
		if random.IntN(2) == 0 && l.Streams > 2 {
			l.Busiest = 0.5
		}
		l.BacklogMinutes = float64(random.IntN(3))
		s := Scenario{Seed: uint64(i), Outage: time.Duration(random.IntN(400)) * time.Second, ThrottleRate: random.IntN(2) * 50_000, StreamDrainers: random.IntN(4)}
		if random.IntN(2) == 0 {
			s.Burst, s.BurstFor = 1+random.Float64()*10, time.Duration(1+random.IntN(300))*time.Second
		}
		if random.IntN(2) == 0 {
			s.MaxBacklogMiB, s.Refuse = 1+random.IntN(100), random.IntN(2) == 0
		}
		p := newPlan(l)
		o := simulate(p, s)
		if sum := o.Throttled + o.Refused + o.Archived + o.Forwarded + o.Queued; sum != o.Arrived || o.Arrived == 0 {
			t.Fatalf("%d records arrived, %d are accounted for: %+v", o.Arrived, sum, o)
		}
		if o.PeakMemory > 1 {
			t.Fatalf("a node is used to %g of its memory: %+v", o.PeakMemory, o)
		}
		if o.Queued < 0 || o.Forwarded < 0 || o.Overflow > o.Archived {
			t.Fatalf("impossible numbers of records: %+v", o)
		}
		if s.MaxBacklogMiB > 0 && o.PeakStreamMiB > float64(s.MaxBacklogMiB) {
			t.Fatalf("%g MiB wait in one stream, maxBacklogMiB is %d", o.PeakStreamMiB, s.MaxBacklogMiB)
		}
		if again := simulate(p, s); again != o {
			t.Fatalf("the same seed gave %+v and %+v", o, again)
		}
	}
}

func TestOutage(t *testing.T) {
	t.Parallel()
	o := simulate(newPlan(scenariosLoad()), Scenario{Outage: 10 * time.Minute, Seed: 1})
	// 1,000 records/s for 600 s, less or more by chance.
	if o.PeakRecords < 595_000 || o.PeakRecords > 605_000 {
		t.Errorf("%d records waited, want about 600,000", o.PeakRecords)
	}
	// The busiest stream has 500 records/s and one shard, which takes 989.
	want := 300_000.0 / (989 - 500)
	if got := o.DrainedAfter.Seconds(); !o.Drained || got < want*0.95 || got > want*1.05 {
		t.Errorf("drained after %v, want about %.0f s", o.DrainedAfter, want)
	}
	// A throttled stream does not scale out, however long its backlog.
	if o.PeakDrainers != 10 {
		t.Errorf("%d drainers for ten streams that Kinesis throttles, want one each", o.PeakDrainers)
	}
	if o.Archived+o.Throttled+o.Refused != 0 || o.Queued > 5_000 {
		t.Errorf("not all went by the queue: %+v", o)
	}
}

func TestShardsThatLeaveNoRoomNeverCatchUp(t *testing.T) {
	t.Parallel()
	l := loadOf(989, 1<<10, 1) // all that a shard takes
	o := simulate(newPlan(l), Scenario{Outage: time.Minute, Seed: 1})
	if o.Drained {
		t.Errorf("drained after %v by a shard that is full", o.DrainedAfter)
	}
	l.Peak = 2
	if o := simulate(newPlan(l), Scenario{Outage: time.Minute, Seed: 1}); !o.Drained {
		t.Error("not drained with shards for twice the load")
	}
}

func TestBurstMeetsTheThrottle(t *testing.T) {
	t.Parallel()
	p := newPlan(defaultLoad())
	s := Scenario{Burst: 10, BurstFor: 5 * time.Minute, Seed: 1}
	// 10,000 records/s meet 5,000.
	if o := simulate(p, s); o.Throttled < 1_400_000 || o.Throttled > 1_500_000 {
		t.Errorf("%d records got 429, want 1,500,000 less the burst", o.Throttled)
	}
	s.ThrottleRate = 20_000
	if o := simulate(p, s); o.Throttled != 0 {
		t.Errorf("%d records got 429 below the throttle", o.Throttled)
	}
}

func TestTooFewDrainers(t *testing.T) {
	t.Parallel()
	l := loadOf(10_000, 10<<10, 1)
	l.Peak = 1.5
	p := newPlan(l)
	if p.Drainer.Stream < 3 {
		t.Fatalf("%d drainers are enough", p.Drainer.Stream)
	}
	s := Scenario{Outage: time.Second, StreamDrainers: 1, Seed: 1}
	if o := simulate(p, s); o.Drained || o.PeakDrainers != 1 {
		t.Errorf("one drainer drained it: %+v", o)
	}
	s.StreamDrainers = 0
	if o := simulate(p, s); !o.Drained || o.PeakDrainers < 3 {
		t.Errorf("as many drainers as planned did not drain it: %+v", o)
	}
}

// TestDrainersOfAllStreamsAreBounded has two streams that need two drainers each.
func TestDrainersOfAllStreamsAreBounded(t *testing.T) {
	t.Parallel()
	l := loadOf(10_000, 10<<10, 2)
	l.Peak = 1.5
	p := newPlan(l)
	s := Scenario{Outage: time.Second, Drainers: 2, Seed: 1}
	if o := simulate(p, s); o.Drained || o.PeakDrainers != 2 {
		t.Errorf("two drainers did the work of three: %+v", o)
	}
	s.Drainers = 4
	if o := simulate(p, s); !o.Drained {
		t.Errorf("four drainers did not: %+v", o)
	}
}

// TestFullCache holds that what would have held all is what does.
func TestFullCache(t *testing.T) {
	t.Parallel()
	l := scenariosLoad()
	s := Scenario{Outage: time.Hour, Seed: 1}
	o := simulate(newPlan(l), s)
	if o.Archived == 0 || o.PeakMemory < 0.999 || o.HoldsNode == "" {
		t.Fatalf("an hour's records fit: %+v", o)
	}
	l.Node = o.HoldsNode
	s.MaxBacklogMiB = int(o.HoldsMiB)
	if o := simulate(newPlan(l), s); o.Archived != 0 {
		t.Errorf("%d records went past %s with maxBacklogMiB %d", o.Archived, l.Node, s.MaxBacklogMiB)
	}
	s.MaxBacklogMiB, s.Refuse = 10, true
	if o := simulate(newPlan(l), s); o.Refused == 0 || o.Archived != 0 {
		t.Errorf("past maxBacklogMiB %d were refused and %d archived", o.Refused, o.Archived)
	}
}
