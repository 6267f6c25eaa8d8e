package main

import (
	"fmt"
	"math/rand/v2"

	"github.com/data-sink/data-sink/internal/pipeline/drain"
)

// memoryDrain measures the peak memory of a drainer's process that drains 1 GB. The
// floor is its peak with a quarter of that, so that the ratio shows how memory grows
// with the backlog.
func memoryDrain(l *lab, _ int) ([]figure, error) {
	backlog := 1_000_000_000
	if l.short {
		backlog = 20_000_000
	}
	whole, err := l.peakWhileDraining(backlog)
	if err != nil {
		return nil, err
	}
	quarter, err := l.peakWhileDraining(backlog / 4)
	if err != nil {
		return nil, err
	}
	return []figure{figureOf("memory.drain", "MB", whole/1e6, quarter/1e6)}, nil
}

// mixedSizes are sizes of bodies in bytes, with the share of each in all bytes.
var mixedSizes = []struct{ size, percent int }{{100, 2}, {1 << 10, 18}, {10 << 10, 30}, {100 << 10, 30}, {900_000, 20}}

// peakWhileDraining drains a number of bytes in mixed sizes and random order, and
// returns the peak memory in bytes.
func (l *lab) peakWhileDraining(bytes int) (float64, error) {
	var sizes []int
	for _, m := range mixedSizes {
		for range bytes / 100 * m.percent / m.size {
			sizes = append(sizes, m.size)
		}
	}
	random := rand.New(rand.NewPCG(3, 4)) // the same order in every run
	random.Shuffle(len(sizes), func(i, k int) { sizes[i], sizes[k] = sizes[k], sizes[i] })
	envelopes := make(map[int][]byte)
	for _, m := range mixedSizes {
		envelopes[m.size] = envelopeOf(orders, randomBody(m.size))
	}
	if err := l.fill(queueKey(orders), len(sizes), func(i int) []byte { return envelopes[sizes[i]] }); err != nil {
		return 0, err
	}
	f, err := l.function("ours", "drainer")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	ctx, cancel := invocation(120)
	defer cancel()
	before := l.endpoint.records.Load()
	if _, err := f.Invoke(ctx, []byte(drain.SweepEvent)); err != nil {
		return 0, err
	}
	if got := l.endpoint.records.Load() - before; got != int64(len(sizes)) {
		return 0, fmt.Errorf("%d of %d records arrived", got, len(sizes))
	}
	peak, err := peakMemory(f.Processes()[0].PID())
	if err != nil {
		return 0, err
	}
	return peak, l.empty(queueKey(orders))
}
