package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Outcome is the result of a simulation. Arrived = Throttled + Refused + Archived +
// Forwarded + Queued.
type Outcome struct {
	Scenario Scenario `json:"scenario"`
	// Arrived is the number of all records. Throttled got 429 from the API, Refused got
	// 503 because of maxBacklogMiB. Archived became direct records: Overflow because of
	// maxBacklogMiB, the others because the cache could not accept them.
	Arrived   int64 `json:"arrived"`
	Throttled int64 `json:"throttled"`
	Refused   int64 `json:"refused"`
	Archived  int64 `json:"archived"`
	Overflow  int64 `json:"overflow"`
	Forwarded int64 `json:"forwarded"`
	Queued    int64 `json:"queued"`

	// PeakRecords and PeakMiB are the largest backlog of all queues together,
	// PeakStreamMiB of one queue, which maxBacklogMiB bounds.
	PeakRecords   int64   `json:"peakRecords"`
	PeakMiB       float64 `json:"peakMib"`
	PeakStreamMiB float64 `json:"peakStreamMib"`
	// PeakMemory is the largest use of a node, as a share of its usable memory.
	PeakMemory float64 `json:"peakMemory"`
	// PeakDrainers is the largest number of drainers at once, for all streams.
	PeakDrainers int `json:"peakDrainers"`
	// DrainedAfter is the time from the end of burst and outage until the queues were as
	// short as before. Drained is false if that took more than a day.
	DrainedAfter time.Duration `json:"-"`
	DrainedSecs  float64       `json:"drainedAfterSeconds"`
	Drained      bool          `json:"drained"`

	// HoldsMiB is the maxBacklogMiB, and HoldsNode the type of cache node, with which all
	// records would go through the queue. An empty HoldsNode means that more shards are
	// necessary.
	HoldsMiB  float64 `json:"holdsMib"`
	HoldsNode string  `json:"holdsNode"`
}

const (
	quiet     = 60        // seconds before the burst or the outage
	mostSteps = 24 * 3600 // seconds after them
)

// queue is the queue of one stream.
type queue struct {
	rate      float64 // records/s that arrive
	shard     int     // of the cache
	tap       int64   // records/s that its Kinesis shards accept
	depth     int64
	drainers  int
	throttled bool
}

// simulation simulates a plan in steps of a second.
type simulation struct {
	plan     Plan
	scenario Scenario
	random   *rand.Rand

	queues     []queue
	shards     []int64 // records on each shard of the cache
	peaks      []int64 // the largest number on each shard
	room       int64   // records that fit on one shard
	pushes     int64   // records/s that one shard accepts
	bound      int64   // records that maxBacklogMiB allows; 0: no bound
	perDrainer int64   // records/s
	tokens     float64 // of the throttle of the API
	refill     float64
	most       int // drainers that are wanted at once
	outcome    Outcome
}

// simulate simulates a scenario. The same seed gives the same outcome.
func simulate(p Plan, s Scenario) Outcome {
	o := newSimulation(p, s).run()
	boundless := newSimulation(p, s)
	boundless.bound, boundless.room = 0, math.MaxInt64
	all := boundless.run()
	o.HoldsMiB = math.Ceil(all.PeakStreamMiB * backlogMargin)
	needs := float64(slices.Max(boundless.peaks)) * p.Cache.RecordBytes * backlogMargin
	if i := slices.IndexFunc(nodes, func(n node) bool { return n.usable() >= needs && n.usable() >= p.Cache.node().usable() }); i >= 0 {
		o.HoldsNode = nodes[i].name
	}
	return o
}

func (sim *simulation) run() Outcome {
	s := sim.scenario
	over := quiet + int(max(s.BurstFor, s.Outage).Seconds())
	for second := 0; second < over+mostSteps; second++ {
		sim.step(second)
		if second >= over && sim.calm() {
			sim.outcome.Drained = true
			sim.outcome.DrainedAfter = time.Duration(second-over) * time.Second
			break
		}
	}
	sim.outcome.DrainedSecs = sim.outcome.DrainedAfter.Seconds()
	for _, q := range sim.queues {
		sim.outcome.Queued += q.depth
	}
	return sim.outcome
}

func newSimulation(p Plan, s Scenario) *simulation {
	l := p.Load
	s = s.filledIn(p)
	sim := &simulation{
		plan: p, scenario: s, random: rand.New(rand.NewPCG(s.Seed, 0)), // the same in every run
		shards: make([]int64, p.Cache.Shards), peaks: make([]int64, p.Cache.Shards),
		perDrainer: int64(p.Drainer.RecordsPerSecond),
		tokens:     apiBurst, refill: float64(s.ThrottleRate),
		outcome: Outcome{Scenario: s},
	}
	sim.room = int64(p.Cache.node().usable() / p.Cache.RecordBytes)
	// For a while, a t4g too has a whole core and enough bandwidth.
	sim.pushes = int64(1 / redisSeconds.at(l.Size))
	if s.MaxBacklogMiB > 0 {
		sim.bound = int64(float64(s.MaxBacklogMiB) * (1 << 20) / l.queued())
	}
	busiest, other := l.shares()
	for i := range l.Streams {
		q := queue{rate: l.Rate * other, shard: i % p.Cache.Shards, tap: int64(float64(p.Tap.Other) * p.Tap.ShardMax)}
		if i == 0 {
			q.rate, q.tap = l.Rate*busiest, int64(float64(p.Tap.Busiest)*p.Tap.ShardMax)
		}
		sim.queues = append(sim.queues, q)
	}
	return sim
}

// step simulates one second: records arrive, then drainers work.
func (sim *simulation) step(second int) {
	factor := 1.0
	since := time.Duration(second-quiet) * time.Second
	if sim.scenario.Burst > 0 && since >= 0 && since < sim.scenario.BurstFor {
		factor = sim.scenario.Burst
	}
	down := since >= 0 && since < sim.scenario.Outage
	sim.arrive(factor)
	if second%scaleSeconds == 0 {
		sim.scale()
	}
	sim.measure()
	sim.drain(down)
}

// arrive simulates the throttle of the API, ingest and the cache.
func (sim *simulation) arrive(factor float64) {
	came := make([]int64, len(sim.queues))
	var all int64
	for i := range sim.queues {
		came[i] = poisson(sim.random, sim.queues[i].rate*factor)
		all += came[i]
	}
	sim.outcome.Arrived += all
	sim.tokens = min(sim.refill+apiBurst, sim.tokens+sim.refill)
	through := 1.0
	if float64(all) > sim.tokens {
		through = sim.tokens / float64(all)
	}
	pushed := make([]int64, len(sim.shards))
	for i := range sim.queues {
		q := &sim.queues[i]
		n := int64(float64(came[i]) * through)
		sim.outcome.Throttled += came[i] - n
		sim.tokens -= float64(n)
		if sim.bound > 0 {
			over := max(0, n-max(0, sim.bound-q.depth))
			n -= over
			if sim.scenario.Refuse {
				sim.outcome.Refused += over
			} else {
				sim.outcome.Archived += over
				sim.outcome.Overflow += over
			}
		}
		takes := min(n, max(0, sim.room-sim.shards[q.shard]), max(0, sim.pushes-pushed[q.shard]))
		sim.outcome.Archived += n - takes
		pushed[q.shard] += takes
		sim.shards[q.shard] += takes
		q.depth += takes
	}
}

// scale decides every few seconds on the number of drainers: one for each queue with
// records, and more for a long backlog unless Kinesis throttles the stream (package
// drain, scale.go).
func (sim *simulation) scale() {
	at := 0
	for i := range sim.queues {
		q := &sim.queues[i]
		wanted := min(int((q.depth+int64(drainer.ScaleOutRecords)-1)/int64(drainer.ScaleOutRecords)), sim.scenario.StreamDrainers)
		switch {
		case q.depth == 0:
			q.drainers = 1 // of the next wake-up
		case q.throttled:
			q.drainers = max(1, q.drainers)
		default:
			q.drainers = max(1, wanted, min(q.drainers, sim.scenario.StreamDrainers))
		}
		if q.depth > 0 {
			at += q.drainers
		}
	}
	sim.most = max(at, 1)
	sim.outcome.PeakDrainers = max(sim.outcome.PeakDrainers, min(at, sim.scenario.Drainers))
}

// drain moves records to Kinesis. If more drainers are wanted than may run, all
// streams get fewer in proportion.
func (sim *simulation) drain(down bool) {
	share := min(1, float64(sim.scenario.Drainers)/float64(sim.most))
	for i := range sim.queues {
		q := &sim.queues[i]
		can := int64(float64(int64(q.drainers)*sim.perDrainer) * share)
		tap := q.tap
		if down {
			tap = 0
		}
		moved := min(q.depth, can, tap)
		q.throttled = min(q.depth, can) > tap
		if q.depth == moved {
			q.drainers = 1
		}
		q.depth -= moved
		sim.shards[q.shard] -= moved
		sim.outcome.Forwarded += moved
	}
}

// measure records the peaks, between arrivals and departures.
func (sim *simulation) measure() {
	var all, longest, fullest int64
	for _, q := range sim.queues {
		all += q.depth
		longest = max(longest, q.depth)
	}
	for i, n := range sim.shards {
		sim.peaks[i] = max(sim.peaks[i], n)
		fullest = max(fullest, n)
	}
	bytes := sim.plan.Load.queued()
	o := &sim.outcome
	if all > o.PeakRecords {
		o.PeakRecords, o.PeakMiB = all, float64(all)*bytes/(1<<20)
	}
	o.PeakStreamMiB = max(o.PeakStreamMiB, float64(longest)*bytes/(1<<20))
	o.PeakMemory = max(o.PeakMemory, float64(fullest)/float64(sim.room))
}

// calm reports whether no queue has more records than arrive in two seconds.
func (sim *simulation) calm() bool {
	for _, q := range sim.queues {
		if float64(q.depth) > 2*q.rate+10 {
			return false
		}
	}
	return true
}

// poisson returns a random number of arrivals with the mean rate.
func poisson(random *rand.Rand, rate float64) int64 {
	if rate > 50 {
		return max(0, int64(math.Round(rate+math.Sqrt(rate)*random.NormFloat64())))
	}
	limit, product, n := math.Exp(-rate), 1.0, int64(-1)
	for product > limit {
		product *= random.Float64()
		n++
	}
	return n
}
