package main

import "github.com/data-sink/data-sink/internal/pipeline/settings"

// Drainer is the drainer function and its wake-ups.
type Drainer struct {
	// RecordsPerSecond is what one drainer moves.
	RecordsPerSecond float64 `json:"recordsPerSecond"`
	// Stream is how many drainers the busiest stream needs at once, Concurrency how
	// many all streams do.
	Stream      int `json:"stream"`
	Concurrency int `json:"concurrency"`
	// WakeUps are those of all streams, a second.
	WakeUps float64 `json:"wakeUps"`
	Memory  int     `json:"memory"`
	Dollars float64 `json:"dollars"`
}

// drains is how many records a second one drainer moves: as its CPU allows, or its
// claims in flight with what they wait for.
func (l Load) drains() float64 {
	claim := min(float64(drainer.ClaimRecords), max(1, float64(drainer.ClaimBytes)/l.queued()))
	inFlight := float64(drainer.ClaimsInFlight) * claim / (claimWait / 1000)
	return min(vCPUs(l.DrainerMemory)/drainSeconds.at(l.Size), inFlight)
}

// executions is how many drainers of a stream are at work, in the mean: each
// wake-up takes a while by itself.
func (l Load) executions(rate float64) float64 {
	return l.wakeUps(rate)*drainerWait/1000 + rate/l.drains()
}

// wakeUps is how many a stream has a second: one a wake interval at most.
func (l Load) wakeUps(rate float64) float64 {
	return min(rate, 1/drainer.Wake.Interval.Seconds())
}

// idlePolls are requests a second of Lambda to an empty SQS queue: five pollers, 20 s
// each.
const idlePolls = 5.0 / 20

func newDrainer(l Load) Drainer {
	busiest, _ := l.shares()
	d := Drainer{
		RecordsPerSecond: l.drains(), Memory: l.DrainerMemory,
		Stream:      whole(l.peak() * busiest / l.drains()),
		Concurrency: whole(l.overStreams(func(share float64) float64 { return l.executions(l.peak() * share) })),
		WakeUps:     l.overStreams(func(share float64) float64 { return l.wakeUps(l.Rate * share) }),
	}
	d.Concurrency = max(d.Concurrency, d.Stream)
	at := l.overStreams(func(share float64) float64 { return l.executions(l.Rate * share) })
	// A wake-up is sent, received and deleted.
	requests := 3*d.WakeUps + idlePolls
	d.Dollars = lambdaDollars(d.WakeUps+1.0/sweepSeconds, at, d.Memory) + requests*monthSeconds*sqsRequest
	return d
}
