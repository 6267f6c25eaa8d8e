package main

import (
	"fmt"
	"slices"

	"github.com/data-sink/data-sink/internal/drain"
)

// backlogBody is small: a million of them are to fit into memory.
const backlogBody = 100

// backlogScale is the rate at which backlogs of several lengths are drained. Of
// the shorter ones several in a row are measured. The floor of each is the best
// of all.
func backlogScale(l *lab, rounds int) ([]figure, error) {
	var all []figure
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		times := rounds
		if n == 1_000_000 {
			times = min(rounds, 2)
		}
		f := figure{name: fmt.Sprintf("backlog.scale.%d", n), unit: "records/s"}
		for range times {
			rate, err := l.drainBacklog(n, 1)
			if err != nil {
				return nil, err
			}
			f.ours = append(f.ours, rate)
		}
		all = append(all, f)
	}
	return againstTheBest(all), nil
}

// backlogStreams is the same for one backlog that several streams share.
func backlogStreams(l *lab, rounds int) ([]figure, error) {
	var all []figure
	for _, n := range []int{1, 10, 100} {
		f := figure{name: fmt.Sprintf("backlog.streams.%d", n), unit: "records/s"}
		for range rounds {
			rate, err := l.drainBacklog(100_000, n)
			if err != nil {
				return nil, err
			}
			f.ours = append(f.ours, rate)
		}
		all = append(all, f)
	}
	return againstTheBest(all), nil
}

func againstTheBest(figures []figure) []figure {
	best := 0.0
	for _, f := range figures {
		best = max(best, median(f.ours))
	}
	for i := range figures {
		figures[i].floor = slices.Repeat([]float64{best}, len(figures[i].ours))
	}
	return figures
}

// drainBacklog drains n records of so many streams and returns the rate.
func (l *lab) drainBacklog(n, ofStreams int) (float64, error) {
	n = max(l.few(n), ofStreams)
	h, err := l.newDrainer(l.redis.URL, streams(ofStreams))
	if err != nil {
		return 0, err
	}
	body := randomBody(backlogBody)
	fill := func() error {
		for i := range ofStreams {
			e := envelopeOf(streamName(i), body)
			if err := l.fill(queueKey(streamName(i)), n/ofStreams, func(int) []byte { return e }); err != nil {
				return err
			}
		}
		return nil
	}
	measures, err := l.rate("", n/ofStreams*ofStreams, fill, func() error {
		ctx, cancel := invocation(55)
		defer cancel()
		_, err := h.Invoke(ctx, []byte(drain.SweepEvent))
		return err
	})()
	if err != nil {
		return 0, err
	}
	return measures[0].value, nil
}
