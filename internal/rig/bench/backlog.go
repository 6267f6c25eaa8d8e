package main

import (
	"slices"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/drain"
)

// backlogBody is the size of bodies in bytes: small, because a million of them must
// fit into memory.
const backlogBody = 100

// backlog is a number of records in the queues of several streams.
type backlog struct {
	name             string
	records, streams int
}

// backlogScale measures the rate at which backlogs of several lengths are drained,
// and the rate for one backlog spread over several streams. The floor of each is the
// best of its kind.
func backlogScale(l *lab, rounds int) ([]figure, error) {
	lengths, err := l.drainInTurns(rounds, []backlog{{"backlog.scale.10k", 10_000, 1}, {"backlog.scale.100k", 100_000, 1}, {"backlog.scale.1m", 1_000_000, 1}})
	if err != nil {
		return nil, err
	}
	streams, err := l.drainInTurns(rounds, []backlog{{"backlog.streams.1", 500_000, 1}, {"backlog.streams.10", 500_000, 10}, {"backlog.streams.100", 500_000, 100}})
	return append(lengths, streams...), err
}

// drainInTurns drains the backlogs in turn. A sample has at least 100,000 records,
// so a short backlog is drained several times.
func (l *lab) drainInTurns(rounds int, backlogs []backlog) ([]figure, error) {
	rates, costs := make([]figure, len(backlogs)), make([]figure, len(backlogs))
	drainers := make([]*drain.Handler, len(backlogs))
	for i, b := range backlogs {
		rates[i] = figure{name: b.name, unit: "records/s"}
		costs[i] = figure{name: b.name + ".cpu", unit: "ns"}
		var err error
		if drainers[i], err = l.newDrainer(streams(b.streams)); err != nil {
			return nil, err
		}
	}
	for range rounds {
		for i, b := range backlogs {
			repeats := max(1, 100_000/b.records)
			b.records = max(l.few(b.records)/b.streams, 1) * b.streams
			var took, cpu time.Duration
			for range repeats {
				t, c, err := l.drainBacklog(drainers[i], b)
				if err != nil {
					return nil, err
				}
				took, cpu = took+t, cpu+c
			}
			n := float64(b.records * repeats)
			rates[i].samples[ours] = append(rates[i].samples[ours], n/took.Seconds())
			costs[i].samples[ours] = append(costs[i].samples[ours], float64(cpu.Nanoseconds())/n)
		}
	}
	againstTheBest(rates, slices.Max)
	againstTheBest(costs, slices.Min)
	return append(rates, costs...), nil
}

// againstTheBest makes the best of the figures the floor of all.
func againstTheBest(figures []figure, best func([]float64) float64) {
	var medians []float64
	for _, f := range figures {
		medians = append(medians, median(f.samples[ours]))
	}
	for i := range figures {
		figures[i].samples[floor] = slices.Repeat([]float64{best(medians)}, len(figures[i].samples[ours]))
	}
}

// drainBacklog fills the queues and drains them in one invocation.
func (l *lab) drainBacklog(h *drain.Handler, b backlog) (took, cpu time.Duration, err error) {
	body := randomBody(backlogBody)
	for i := range b.streams {
		e := envelopeOf(streamName(i), body)
		if err := l.fill(queueKey(streamName(i)), b.records/b.streams, func(int) []byte { return e }); err != nil {
			return 0, 0, err
		}
	}
	ctx, cancel := invocation(55)
	defer cancel()
	took, cpu, err = l.arrival(b.records, func() error {
		_, err := h.Invoke(ctx, []byte(drain.SweepEvent))
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	return took, cpu, l.empty("")
}
