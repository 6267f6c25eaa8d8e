package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"
)

// measure is one value of one side in one round.
type measure struct {
	name, unit string
	value      float64
}

// side does a job once and returns what it measured: always the same measures in the
// same order.
type side func() ([]measure, error)

// The sides of a figure, and the values of the label side in profiles.
const (
	ours = iota
	floor
)

var sideNames = [2]string{"ours", "floor"}

// figure is a line of the report with the samples of all rounds, by side.
type figure struct {
	name, unit string
	samples    [2][]float64
}

// figureOf returns a figure with one sample of each side.
func figureOf(name, unit string, oursValue, floorValue float64) figure {
	return figure{name: name, unit: unit, samples: [2][]float64{{oursValue}, {floorValue}}}
}

// line returns the line of the report.
func (f figure) line() string {
	a, b := median(f.samples[ours]), median(f.samples[floor])
	return fmt.Sprintf("bench: %s %s %s floor=%s ratio=%.2f", f.name, short(a), f.unit, short(b), a/b)
}

// short formats v with at least three digits.
func short(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

func median(samples []float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	return percentile(samples, 50)
}

// compare measures each pair of sides, one pair after the other, and returns a figure
// for each measure. The sides of a pair alternate, and so does their order with each
// round. The first round warms up and does not count.
func compare(rounds int, pairs ...[2]side) ([]figure, error) {
	var all []figure
	for _, p := range pairs {
		var figures []figure
		for round := warmUp(rounds); round < rounds; round++ {
			for turn := range p {
				i := (turn + rounds + round) % 2
				runtime.GC()
				var ms []measure
				var err error
				labelled(i, func() { ms, err = p[i]() })
				if err != nil {
					return nil, err
				}
				if round < 0 {
					continue
				}
				for k, m := range ms {
					if k == len(figures) {
						figures = append(figures, figure{name: m.name, unit: m.unit})
					}
					figures[k].samples[i] = append(figures[k].samples[i], m.value)
				}
			}
		}
		all = append(all, figures...)
	}
	return all, nil
}

// warmUp returns the number of the first round: -1, or 0 for a single round.
func warmUp(rounds int) int {
	if rounds > 1 {
		return -1
	}
	return 0
}

// labelled runs do with the label of a side in profiles.
func labelled(side int, do func()) {
	pprof.Do(context.Background(), pprof.Labels("side", sideNames[side]), func(context.Context) { do() })
}

// compareLatency measures n calls of each side a round, one at a time. The sides
// alternate call by call, because the latency of an answer from another process
// depends on where the scheduler has placed the two processes, which changes every
// few milliseconds. before, if not nil, runs before each call and is not measured.
func (l *lab) compareLatency(rounds int, name string, n int, before func() error, sides [2]func() error) ([]figure, error) {
	p50, p99 := figure{name: name + ".p50", unit: "us"}, figure{name: name + ".p99", unit: "us"}
	n = max(l.few(n), 10)
	for round := warmUp(rounds); round < rounds; round++ {
		runtime.GC()
		var took [2][]float64
		for range n {
			for i, call := range sides {
				if before != nil {
					if err := before(); err != nil {
						return nil, err
					}
				}
				var err error
				labelled(i, func() {
					began := time.Now()
					err = call()
					took[i] = append(took[i], time.Since(began).Seconds()*1e6)
				})
				if err != nil {
					return nil, err
				}
			}
		}
		if err := l.empty(""); err != nil {
			return nil, err
		}
		if round < 0 {
			continue
		}
		for i := range sides {
			p50.samples[i] = append(p50.samples[i], percentile(took[i], 50))
			p99.samples[i] = append(p99.samples[i], percentile(took[i], 99))
		}
	}
	return []figure{p50, p99}, nil
}

func percentile(samples []float64, p int) float64 {
	sorted := slices.Sorted(slices.Values(samples))
	return sorted[len(sorted)*p/100]
}

// cost runs n calls and returns the CPU time in ns and the number of allocations of
// one. The CPU time is that of this process, including garbage collection; other
// processes do not count.
func cost(n int, call func() error) (ns, allocs float64, err error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := cpuTime()
	for range n {
		if err := call(); err != nil {
			return 0, 0, err
		}
	}
	took := cpuTime() - began
	runtime.ReadMemStats(&after)
	return float64(took.Nanoseconds()) / float64(n), float64(after.Mallocs-before.Mallocs) / float64(n), nil
}

// costOf returns a side that measures the CPU time and the allocations of n calls, each
// of which does a number of jobs, and reports those of one job.
func costOf(name string, n, jobs int, call func() error) side {
	return func() ([]measure, error) {
		ns, allocs, err := cost(max(n, 2), call)
		return []measure{{name, "ns", ns / float64(jobs)}, {name + ".allocs", "allocs", allocs / float64(jobs)}}, err
	}
}

// rateOf returns a side that measures n calls and reports the amount that they process
// in a second. It empties Redis afterwards.
func (l *lab) rateOf(name, unit string, n int, amount float64, call func() error) side {
	return func() ([]measure, error) {
		began := time.Now()
		for range max(n, 2) {
			if err := call(); err != nil {
				return nil, err
			}
		}
		rate := amount * float64(max(n, 2)) / time.Since(began).Seconds()
		return []measure{{name, unit, rate}}, l.empty("")
	}
}

// cpuTime returns the CPU time that this process has used.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // the arguments are valid
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	_, rest, _ := strings.Cut(string(info), "model name\t: ")
	model, _, _ := strings.Cut(rest, "\n")
	return model
}

// writeSamples writes the samples as lines of Go's benchmarks.
func writeSamples(name string, figures []figure) error {
	var b strings.Builder
	fmt.Fprintf(&b, "goos: %s\ngoarch: %s\ncpu: %s\n", runtime.GOOS, runtime.GOARCH, cpuModel())
	for _, f := range figures {
		for i, side := range sideNames {
			for _, v := range f.samples[i] {
				fmt.Fprintf(&b, "Benchmark/%s/%s 1 %g %s\n", f.name, side, v, f.unit)
			}
		}
	}
	if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("writing the samples: %w", err)
	}
	return nil
}
