package main

import (
	"math"
	"slices"
	"time"
)

// Outcome is the result of a simulation. Arrived = Throttled + Archived + Forwarded +
// Queued, in records, except for rounding.
type Outcome struct {
	Scenario Scenario `json:"scenario"`
	// Arrived is the number of all records. Throttled got 429 from the API. Archived
	// became direct records, because the cache or maxBacklogMiB had no room. Queued wait
	// at the end.
	Arrived   float64 `json:"arrived"`
	Throttled float64 `json:"throttled"`
	Archived  float64 `json:"archived"`
	Forwarded float64 `json:"forwarded"`
	Queued    float64 `json:"queued"`

	// PeakRecords and PeakMiB are the largest backlog of all queues together,
	// PeakStreamMiB of one queue, which maxBacklogMiB bounds.
	PeakRecords   float64 `json:"peakRecords"`
	PeakMiB       float64 `json:"peakMib"`
	PeakStreamMiB float64 `json:"peakStreamMib"`
	// PeakMemory is the largest use of a node, as a share of its usable memory.
	PeakMemory float64 `json:"peakMemory"`
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
	// backlogMargin is the factor between the peak and a sufficient maxBacklogMiB.
	backlogMargin = 1.25
)

// queue is the queue of one stream. Its numbers are means, so they have fractions.
type queue struct {
	rate  float64 // records/s that arrive
	shard int     // of the cache
	tap   float64 // records/s that its Kinesis shards accept
	depth float64
}

// simulation simulates a plan in steps of a second. Kinesis bounds how fast a queue
// drains: drainers start until they are faster than its shards.
type simulation struct {
	scenario Scenario
	queues   []queue
	shards   int     // of the cache
	room     float64 // records that fit on one shard of the cache
	bound    float64 // records that maxBacklogMiB allows in one queue
	mib      float64 // of a queued record
	tokens   float64 // of the throttle of the API
	fullest  float64 // largest number of records on one shard
	outcome  Outcome
}

// simulate simulates a scenario.
func simulate(p Plan, s Scenario) Outcome {
	if s.ThrottleRate == 0 {
		s.ThrottleRate = p.Load.throttle()
	}
	sim := newSimulation(p, s)
	o := sim.run()
	o.PeakMemory = sim.fullest / sim.room
	boundless := newSimulation(p, s)
	boundless.bound, boundless.room = math.Inf(1), math.Inf(1)
	o.HoldsMiB = math.Ceil(boundless.run().PeakStreamMiB * backlogMargin)
	needs := boundless.fullest * p.Cache.RecordBytes * backlogMargin
	if i := slices.IndexFunc(nodes, func(n node) bool { return n.usable() >= needs && n.usable() >= p.Cache.node().usable() }); i >= 0 {
		o.HoldsNode = nodes[i].name
	}
	return o
}

func newSimulation(p Plan, s Scenario) *simulation {
	l := p.Load
	sim := &simulation{
		scenario: s, shards: p.Cache.Shards, tokens: apiBurst, bound: math.Inf(1), mib: l.queued() / (1 << 20), outcome: Outcome{Scenario: s},
		room: (p.Cache.node().usable() - l.shardKeys(p.Cache.Shards)) / p.Cache.RecordBytes,
	}
	if s.MaxBacklogMiB > 0 {
		sim.bound = float64(s.MaxBacklogMiB) / sim.mib
	}
	busiest, other := l.shares()
	for i := range l.Streams {
		q := queue{rate: l.Rate * other, shard: i % p.Cache.Shards, tap: float64(p.Tap.Other) * p.Tap.ShardMax}
		if i == 0 {
			q.rate, q.tap = l.Rate*busiest, float64(p.Tap.Busiest)*p.Tap.ShardMax
		}
		sim.queues = append(sim.queues, q)
	}
	return sim
}

func (sim *simulation) run() Outcome {
	o := &sim.outcome
	over := quiet + int(max(sim.scenario.BurstFor, sim.scenario.Outage).Seconds())
	for second := 0; second < over+mostSteps && !o.Drained; second++ {
		since := time.Duration(second-quiet) * time.Second
		factor := 1.0
		if sim.scenario.Burst > 0 && since >= 0 && since < sim.scenario.BurstFor {
			factor = sim.scenario.Burst
		}
		sim.arrive(factor)
		sim.measure()
		if since < 0 || since >= sim.scenario.Outage {
			sim.drain()
		}
		if second >= over && sim.calm() {
			o.Drained, o.DrainedAfter = true, time.Duration(second-over)*time.Second
		}
	}
	o.DrainedSecs = o.DrainedAfter.Seconds()
	for _, q := range sim.queues {
		o.Queued += q.depth
	}
	for _, n := range []*float64{&o.Arrived, &o.Throttled, &o.Archived, &o.Forwarded, &o.Queued, &o.PeakRecords} {
		*n = math.Round(*n)
	}
	return *o
}

// depths returns the number of records on each shard of the cache.
func (sim *simulation) depths() []float64 {
	shards := make([]float64, sim.shards)
	for _, q := range sim.queues {
		shards[q.shard] += q.depth
	}
	return shards
}

// arrive simulates the throttle of the API, ingest and the cache.
func (sim *simulation) arrive(factor float64) {
	all := 0.0
	for _, q := range sim.queues {
		all += q.rate * factor
	}
	refill := float64(sim.scenario.ThrottleRate)
	sim.tokens = min(refill+apiBurst, sim.tokens+refill)
	through := min(1, sim.tokens/all)
	sim.tokens -= all * through
	sim.outcome.Arrived += all
	sim.outcome.Throttled += all * (1 - through)
	shards := sim.depths()
	for i := range sim.queues {
		q := &sim.queues[i]
		n := q.rate * factor * through
		takes := max(0, min(n, sim.bound-q.depth, sim.room-shards[q.shard]))
		sim.outcome.Archived += n - takes
		shards[q.shard] += takes
		q.depth += takes
	}
}

// drain moves records to Kinesis.
func (sim *simulation) drain() {
	for i := range sim.queues {
		q := &sim.queues[i]
		moved := min(q.depth, q.tap)
		q.depth -= moved
		sim.outcome.Forwarded += moved
	}
}

// measure records the peaks, between arrivals and departures.
func (sim *simulation) measure() {
	var all, longest float64
	for _, q := range sim.queues {
		all += q.depth
		longest = max(longest, q.depth)
	}
	sim.fullest = max(sim.fullest, slices.Max(sim.depths()))
	o := &sim.outcome
	o.PeakRecords, o.PeakMiB = max(o.PeakRecords, all), max(o.PeakMiB, all*sim.mib)
	o.PeakStreamMiB = max(o.PeakStreamMiB, longest*sim.mib)
}

// calm reports whether no queue has more records than arrive in two seconds.
func (sim *simulation) calm() bool {
	return !slices.ContainsFunc(sim.queues, func(q queue) bool { return q.depth > 2*q.rate+10 })
}
