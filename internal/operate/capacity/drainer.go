package main

import (
	"github.com/data-sink/data-sink/internal/operate/capacity/bill"
	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// Drainer is the drainer function and its wake-ups.
type Drainer struct {
	// RecordsPerSecond is the number of records that one drainer moves.
	RecordsPerSecond float64 `json:"recordsPerSecond"`
	// Stream is the number of drainers that the busiest stream needs at once,
	// Concurrency the number for all streams.
	Stream      int `json:"stream"`
	Concurrency int `json:"concurrency"`
	// WakeUps is the number of wake-ups a second for all streams.
	WakeUps float64 `json:"wakeUps"`
	Memory  int     `json:"memory"`
	Dollars float64 `json:"dollars"`
}

// drains returns the number of records a second that one drainer moves. Its CPU, or
// its claims in flight and their waiting time, is the limit.
func (l Load) drains() float64 {
	wait := claimWait
	if l.NoTap {
		wait = putWait
	}
	inFlight := float64(drainer.ClaimsInFlight) * l.claimRecords() / (wait / 1000)
	return min(vCPUs(l.DrainerMemory)/drainSeconds.at(l.Size), inFlight)
}

// claimRecords returns the number of records in a full claim.
func (l Load) claimRecords() float64 {
	return min(float64(drainer.ClaimRecords), max(1, float64(drainer.ClaimBytes)/l.queued()))
}

// executions returns the mean number of drainers of a stream at work. Each wake-up
// has a fixed duration.
func (l Load) executions(rate float64) float64 {
	return l.wakeUps(rate)*drainerWait/1000 + rate/l.drains()
}

// wakeUps returns the wake-ups a second of a stream: one for each request, at most one
// for each wake interval.
func (l Load) wakeUps(rate float64) float64 {
	return min(rate/float64(l.Batch), 1/drainer.Wake.Interval.Seconds())
}

// idlePolls is the number of requests a second from Lambda to an empty SQS queue: five
// pollers that each wait for 20 s.
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
	d.Dollars = bill.LambdaDollars(d.WakeUps+1.0/settings.SweepSeconds, at, d.Memory) + requests*bill.MonthSeconds*bill.SQSRequest
	return d
}
