package main

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestSimulationConservesRecords(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8)) // the same in every run
	for range 60 {
		l := loadOf(float64(1+random.IntN(8_000)), 1<<random.IntN(15), 1+random.IntN(20))
		if random.IntN(2) == 0 && l.Streams > 2 {
			l.Busiest = 0.5
		}
		l.BacklogMinutes = float64(random.IntN(3))
		s := Scenario{Outage: time.Duration(random.IntN(400)) * time.Second, ThrottleRate: random.IntN(2) * 50_000}
		if random.IntN(2) == 0 {
			s.Burst, s.BurstFor = 1+random.Float64()*10, time.Duration(1+random.IntN(300))*time.Second
		}
		if random.IntN(2) == 0 {
			s.MaxBacklogMiB = 1 + random.IntN(100)
		}
		o := simulate(newPlan(l), s)
		if sum := o.Throttled + o.Archived + o.Forwarded + o.Queued; math.Abs(sum-o.Arrived) > 4 || o.Arrived == 0 {
			t.Fatalf("%.0f records arrived, %.0f are accounted for: %+v", o.Arrived, sum, o)
		}
		if o.PeakMemory > 1+1e-9 {
			t.Fatalf("a node is used to %g of its memory: %+v", o.PeakMemory, o)
		}
		if o.Queued < 0 || o.Forwarded < 0 {
			t.Fatalf("impossible numbers of records: %+v", o)
		}
		if s.MaxBacklogMiB > 0 && o.PeakStreamMiB > float64(s.MaxBacklogMiB)*(1+1e-9) {
			t.Fatalf("%g MiB wait in one stream, maxBacklogMiB is %d", o.PeakStreamMiB, s.MaxBacklogMiB)
		}
	}
}

func TestOutage(t *testing.T) {
	t.Parallel()
	o := simulate(newPlan(scenariosLoad()), Scenario{Outage: 10 * time.Minute})
	// 1,000 records/s for 600 s.
	if o.PeakRecords < 599_000 || o.PeakRecords > 602_000 {
		t.Errorf("%.0f records waited, want about 600,000", o.PeakRecords)
	}
	// The busiest stream has 500 records/s and one shard, which takes 989.
	want := 300_000.0 / (989 - 500)
	if got := o.DrainedAfter.Seconds(); !o.Drained || got < want*0.98 || got > want*1.02 {
		t.Errorf("drained after %v, want about %.0f s", o.DrainedAfter, want)
	}
	if o.Archived+o.Throttled != 0 || o.Queued > 5_000 {
		t.Errorf("not all records went through the queue: %+v", o)
	}
}

func TestShardsThatLeaveNoRoomNeverCatchUp(t *testing.T) {
	t.Parallel()
	l := loadOf(989, 1<<10, 1) // all that a shard takes
	o := simulate(newPlan(l), Scenario{Outage: time.Minute})
	if o.Drained {
		t.Errorf("drained after %v by a shard that is full", o.DrainedAfter)
	}
	l.Peak = 2
	if o := simulate(newPlan(l), Scenario{Outage: time.Minute}); !o.Drained {
		t.Error("not drained with shards for twice the load")
	}
}

func TestBurstMeetsTheThrottle(t *testing.T) {
	t.Parallel()
	p := newPlan(defaultLoad())
	s := Scenario{Burst: 10, BurstFor: 5 * time.Minute}
	// 10,000 records/s meet 5,000.
	if o := simulate(p, s); o.Throttled < 1_490_000 || o.Throttled > 1_500_000 {
		t.Errorf("%.0f records got 429, want 1,500,000 less the burst", o.Throttled)
	}
	s.ThrottleRate = 20_000
	if o := simulate(p, s); o.Throttled != 0 {
		t.Errorf("%.0f records got 429 below the throttle", o.Throttled)
	}
}

// TestFullCache checks that all records go through the queue with the settings that the
// outcome of a full cache names.
func TestFullCache(t *testing.T) {
	t.Parallel()
	l := scenariosLoad()
	s := Scenario{Outage: time.Hour}
	o := simulate(newPlan(l), s)
	if o.Archived == 0 || o.PeakMemory < 0.999 || o.HoldsNode == "" {
		t.Fatalf("the records of an hour fit: %+v", o)
	}
	l.Node = o.HoldsNode
	s.MaxBacklogMiB = int(o.HoldsMiB)
	if o := simulate(newPlan(l), s); o.Archived != 0 {
		t.Errorf("%.0f direct records with %s and maxBacklogMiB %d", o.Archived, l.Node, s.MaxBacklogMiB)
	}
}
