package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/operate/capacity/bill"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

func loadOf(rate float64, size, streams int) Load {
	l := defaultLoad()
	l.Rate, l.Size, l.Streams = rate, size, streams
	return l
}

func TestShardBoundaries(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate          float64
		size, streams int
		want          int
	}{
		{1, 100, 1, 1},
		{1_000, 100, 1, 1},
		{1_001, 100, 1, 2},
		{500_000, 100, 1, 500},
		// By bytes: 1 MiB/s, keys included.
		{1, 1<<20/2 - keyBytes, 1, 1},
		{2, 1<<20/2 - keyBytes, 1, 1},
		{2, 1<<20/2 - keyBytes + 1, 1, 2},
		{989, 1 << 10, 1, 1},
		{990, 1 << 10, 1, 2},
		// A stream has a shard of its own however slow it is.
		{1, 100, 10, 10},
		{10_010, 100, 10, 20},
	} {
		if got := newPlan(loadOf(c.rate, c.size, c.streams)).Tap.Shards; got != c.want {
			t.Errorf("%g records/s of %d bytes over %d streams need %d shards, want %d", c.rate, c.size, c.streams, got, c.want)
		}
	}
	l := loadOf(2_000, 100, 5)
	l.Busiest = 0.6
	if p := newPlan(l); p.Tap.Busiest != 2 || p.Tap.Other != 1 || p.Tap.Shards != 6 {
		t.Errorf("an uneven load needs %+v", p.Tap)
	}
}

func TestLargeBodiesGoStraightToTheArchive(t *testing.T) {
	t.Parallel()
	const most = stream.MaxFramedBytes - 1 // with its newline
	if p := newPlan(loadOf(1, most, 1)); p.Tap.Shards == 0 || p.Firehose.GiB == 0 {
		t.Errorf("a body of %d bytes is not on the tap", most)
	}
	p := newPlan(loadOf(100, most+1, 1))
	for name, n := range map[string]float64{
		"shards": float64(p.Tap.Shards), "drainers": float64(p.Drainer.Concurrency),
		"$ of Kinesis": p.Tap.Dollars, "$ of the bridge": p.Bridge.Dollars, "$ of Firehose": p.Firehose.Dollars,
	} {
		if n != 0 {
			t.Errorf("a body of %d bytes needs %g %s, want 0", most+1, n, name)
		}
	}
	if want := 100.0 * bill.MonthSeconds; p.Archive.Objects != want {
		t.Errorf("%g objects a month, want %g: one for each record", p.Archive.Objects, want)
	}
	if p.API.Units != 2 {
		t.Errorf("%d units of a request of 1 MB, want 2", p.API.Units)
	}
}

func TestFirehoseRounds(t *testing.T) {
	t.Parallel()
	for bytes, want := range map[float64]float64{0: 0, 1: 5120, 5120: 5120, 5121: 10_240, 1_024_000: 1_024_000} {
		if got := billedBytes(bytes); got != want {
			t.Errorf("billedBytes(%g) = %g, want %g", bytes, got, want)
		}
	}
	l := loadOf(1, 199, 1) // 200 with the newline: 5,120 in a packed record
	for records, want := range map[float64]float64{1: 5120, 25: 5120, 26: 10_240, 5120: 1_024_000, 5121: 1_029_120} {
		if got := l.packedBytes(records); got != want {
			t.Errorf("packedBytes(%g) = %g, want %g", records, got, want)
		}
	}
	// What packing saves of small records is most of it.
	p := newPlan(loadOf(1_000, 199, 1))
	if ratio := p.Firehose.UnpackedGiB / p.Firehose.GiB; ratio < 25 || ratio > 25.7 {
		t.Errorf("packing saves a factor of %.1f, want 25.6 or little less", ratio)
	}
}

// TestMoreNeverCostsLess is over many shapes and rates, each a little above the last.
func TestMoreNeverCostsLess(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 200, 1 << 10, 30_000, 1_000_000, 1_500_000} {
		for _, streams := range []int{1, 7, 200} {
			for _, busiest := range []float64{0, 0.5} {
				for _, onDemand := range []bool{false, true} {
					name := fmt.Sprintf("%d bytes, %d streams, %g, on-demand %v", size, streams, busiest, onDemand)
					var last Plan
					for rate := 0.1; rate < 2e6; rate *= 1.25 {
						l := loadOf(rate, size, streams)
						l.Busiest, l.OnDemand = max(busiest, 0), onDemand
						p := newPlan(l)
						if p.Dollars < last.Dollars {
							t.Fatalf("%s: %.1f records/s cost $%.2f, fewer $%.2f", name, rate, p.Dollars, last.Dollars)
						}
						if p.Tap.Shards < last.Tap.Shards || p.Drainer.Concurrency < last.Drainer.Concurrency || p.concurrency() < last.concurrency() {
							t.Fatalf("%s: %.1f records/s need less than fewer do", name, rate)
						}
						if passed, before := len(p.Set)+len(p.Ask)+len(p.Change), len(last.Set)+len(last.Ask)+len(last.Change); passed < before {
							t.Fatalf("%s: %.1f records/s change less than fewer do: %v, %v", name, rate, p.Set, last.Set)
						}
						last = p
					}
				}
			}
		}
	}
}

func TestAStreamThatNoNodeCarries(t *testing.T) {
	t.Parallel()
	one := newPlan(loadOf(40_000, 1<<10, 1))
	if len(one.Change) != 0 {
		t.Errorf("40,000 records/s in one stream: %v, want nothing", one.Change)
	}
	p := newPlan(loadOf(120_000, 1<<10, 1))
	if !slices.Contains(p.Change, "split the busiest stream into 3 or more") {
		t.Errorf("120,000 records/s in one stream: %v, want a split into 3", p.Change)
	}
	i := slices.IndexFunc(p.Ceilings, func(c Ceiling) bool { return strings.HasPrefix(c.What, "one stream:") })
	if c := p.Ceilings[i]; !c.Passed || math.Abs(c.At-p.Cache.StreamMax) > 1 {
		t.Errorf("the ceiling is %+v, want it passed, at %g", c, p.Cache.StreamMax)
	}
	// Split so, it goes.
	if p := newPlan(loadOf(120_000, 1<<10, 3)); len(p.Change) != 0 {
		t.Errorf("120,000 records/s in three streams: %v, want nothing", p.Change)
	}
	// More than streams.json allows in shards.
	p = newPlan(loadOf(600_000, 10, 1))
	if !slices.ContainsFunc(p.Change, func(s string) bool { return strings.Contains(s, `"capacity": "on-demand"`) }) {
		t.Errorf("600 shards for one stream: %v, want on-demand", p.Change)
	}
}

// TestNodesCarryTheirShards holds a plan's cache against the limits of its nodes.
func TestNodesCarryTheirShards(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{10, 1_000, 30_000, 300_000, 2_000_000} {
		l := loadOf(rate, 1<<10, 250)
		c := newPlan(l).Cache
		if load := rate * l.fullest(c.Shards); load > c.ShardMax*1.001 {
			t.Errorf("%g records/s: %g on the fullest shard, which carries %g", rate, load, c.ShardMax)
		}
		if c.BacklogMinutes < l.BacklogMinutes*0.999 {
			t.Errorf("%g records/s: room for %g minutes, want %g", rate, c.BacklogMinutes, l.BacklogMinutes)
		}
		if c.Nodes != 2*c.Shards {
			t.Errorf("%d nodes of %d shards", c.Nodes, c.Shards)
		}
	}
	for shards := 2; shards < 500; shards++ {
		l := loadOf(1, 1, 50)
		if a, b := l.fullest(shards-1), l.fullest(shards); b > a+1e-9 || b < 1/50.0-1e-9 {
			t.Errorf("fullest(%d) = %g, fullest(%d) = %g", shards-1, a, shards, b)
		}
	}
}

// TestWhatIsPassedIsSaid holds the lists of what to do, at and above each ceiling.
func TestWhatIsPassedIsSaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		load func(l *Load)
		set  string
		ask  string
	}{
		{"nothing", func(l *Load) { l.Rate = 500 }, "", ""},
		{"throttleRate", func(l *Load) { l.Rate = 5_001 }, "throttleRate=6002", ""},
		{"API Gateway", func(l *Load) { l.Rate = 9_000 }, "throttleRate=10800", "API Gateway throttle: 10,800 requests/s"},
		{"Lambda", func(l *Load) { l.Rate = 50_000 }, "", "Lambda concurrent executions: 6,000"},
		{"another Region", func(l *Load) { l.Rate, l.Streams, l.Region = 1_500, 1, "eu-central-1" }, `"shards": 2`, "Firehose Direct PUT: 2 MiB/s a stream"},
		{"the peak counts", func(l *Load) { l.Rate, l.Peak = 1_000, 6 }, "throttleRate=7200", ""},
		{"drainers", func(l *Load) { l.Rate, l.Streams, l.DrainerMemory = 40_000, 1, 128 }, "drainerMemory=128", ""},
		{"more drainers", func(l *Load) { l.Rate, l.Streams, l.DrainerMemory, l.Size = 20_000, 1, 128, 10<<10 }, "streamDrainers=12", ""},
		{"replicas", func(l *Load) { l.Replicas = 2 }, "cacheReplicas=2", ""},
		{"on demand", func(l *Load) { l.OnDemand, l.Streams = true, 60 }, `"capacity": "on-demand"`, "Kinesis on-demand streams: 60"},
		{"a node of one's own", func(l *Load) { l.Node = "cache.r7g.large" }, "cacheNodeType=cache.r7g.large", ""},
	} {
		l := defaultLoad()
		c.load(&l)
		p := newPlan(l)
		if c.set == "" && c.name == "nothing" && len(p.Set) > 0 || c.set != "" && !slices.Contains(p.Set, c.set) {
			t.Errorf("%s: set %v, want %q", c.name, p.Set, c.set)
		}
		if c.ask == "" && c.name == "nothing" && len(p.Ask) > 0 || c.ask != "" && !slices.Contains(p.Ask, c.ask) {
			t.Errorf("%s: ask for %v, want %q", c.name, p.Ask, c.ask)
		}
	}
}

func TestPricesByTiers(t *testing.T) {
	t.Parallel()
	for quantity, want := range map[float64]float64{0: 0, 1e6: 1, 300e6: 300, 400e6: 390} {
		if got := bill.Priced(bill.APIRequests, quantity); math.Abs(got-want) > 1e-6 {
			t.Errorf("%g requests cost $%g, want $%g", quantity, got, want)
		}
	}
	// What the README says a deployment costs that does nothing.
	l := loadOf(0.001, 100, 1)
	p := newPlan(l)
	if idle := p.Cache.Dollars + p.Network.Dollars; idle < 80 || idle > 84 {
		t.Errorf("idle cache, endpoints and secrets cost $%.2f, want $82", idle)
	}
}
