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

// figure is a line of the report with the samples of all rounds.
type figure struct {
	name, unit  string
	ours, floor []float64
}

// line returns the line of the report.
func (f figure) line() string {
	ours, floor := median(f.ours), median(f.floor)
	return fmt.Sprintf("bench: %s %s %s floor=%s ratio=%.2f", f.name, short(ours), f.unit, short(floor), ours/floor)
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

// compare alternates both sides and returns a figure for each measure. The order of
// the sides alternates with each round. The first round warms up and does not count.
func compare(rounds int, ours, floor side) ([]figure, error) {
	var figures []figure
	note := func(ms []measure, of func(*figure) *[]float64) {
		if figures == nil {
			figures = make([]figure, len(ms))
		}
		for i, m := range ms {
			f := &figures[i]
			f.name, f.unit = m.name, m.unit
			samples := of(f)
			*samples = append(*samples, m.value)
		}
	}
	turn := func(name string, s side, count bool, of func(*figure) *[]float64) error {
		runtime.GC()
		var ms []measure
		var err error
		pprof.Do(context.Background(), pprof.Labels("side", name), func(context.Context) { ms, err = s() })
		if err == nil && count {
			note(ms, of)
		}
		return err
	}
	first := 0
	if rounds > 1 {
		first = -1
	}
	for round := first; round < rounds; round++ {
		turns := []func() error{
			func() error {
				return turn(sideNames[0], ours, round >= 0, func(f *figure) *[]float64 { return &f.ours })
			},
			func() error {
				return turn(sideNames[1], floor, round >= 0, func(f *figure) *[]float64 { return &f.floor })
			},
		}
		if round%2 != 0 {
			slices.Reverse(turns)
		}
		for _, t := range turns {
			if err := t(); err != nil {
				return nil, err
			}
		}
	}
	return figures, nil
}

// compareLatency measures n calls of each side a round, one at a time. The sides
// alternate call by call, because the latency of an answer from another process
// depends on where the scheduler has placed the two processes, which changes every
// few milliseconds. before, if not nil, runs before each call and is not measured.
func (l *lab) compareLatency(rounds int, name string, n int, before, ours, floor func() error) ([]figure, error) {
	p50, p99 := figure{name: name + ".p50", unit: "us"}, figure{name: name + ".p99", unit: "us"}
	n = max(l.few(n), 10)
	for round := -1; round < rounds; round++ {
		runtime.GC()
		took := [2][]float64{make([]float64, 0, n), make([]float64, 0, n)}
		for range n {
			for i, call := range []func() error{ours, floor} {
				if before != nil {
					if err := before(); err != nil {
						return nil, err
					}
				}
				var err error
				pprof.Do(context.Background(), pprof.Labels("side", sideNames[i]), func(context.Context) {
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
		p50.ours, p50.floor = append(p50.ours, percentile(took[0], 50)), append(p50.floor, percentile(took[1], 50))
		p99.ours, p99.floor = append(p99.ours, percentile(took[0], 99)), append(p99.floor, percentile(took[1], 99))
	}
	return []figure{p50, p99}, nil
}

// sideNames are the values of the label side in profiles.
var sideNames = [2]string{"ours", "floor"}

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

// compareAll is compare for several pairs of sides, one pair after the other.
func compareAll(rounds int, pairs ...[2]side) ([]figure, error) {
	var all []figure
	for _, p := range pairs {
		figures, err := compare(rounds, p[0], p[1])
		if err != nil {
			return nil, err
		}
		all = append(all, figures...)
	}
	return all, nil
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
		for _, v := range f.ours {
			fmt.Fprintf(&b, "Benchmark/%s/ours 1 %g %s\n", f.name, v, f.unit)
		}
		for _, v := range f.floor {
			fmt.Fprintf(&b, "Benchmark/%s/floor 1 %g %s\n", f.name, v, f.unit)
		}
	}
	if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("writing the samples: %w", err)
	}
	return nil
}
