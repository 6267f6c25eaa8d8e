package main

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// Scenario is what happens to a deployment in a simulation, after a quiet minute.
type Scenario struct {
	// Burst multiplies the load for BurstFor.
	Burst    float64       `json:"burst,omitempty"`
	BurstFor time.Duration `json:"-"`
	// Outage is the time for which Kinesis accepts nothing.
	Outage time.Duration `json:"-"`
	// ThrottleRate, Drainers and StreamDrainers are settings of the stack. 0: the values
	// of the plan.
	ThrottleRate   int `json:"throttleRate"`
	Drainers       int `json:"drainerConcurrency"`
	StreamDrainers int `json:"streamDrainers"`
	// MaxBacklogMiB is the field of each stream in streams.json; 0: no bound.
	MaxBacklogMiB int `json:"maxBacklogMib,omitempty"`
	// Refuse is "overflow": "refuse".
	Refuse bool   `json:"refuse,omitempty"`
	Seed   uint64 `json:"seed"`
}

// burst is a flag as in 10x5m: ten times the load for five minutes.
type burst struct{ s *Scenario }

func (b burst) String() string { return "" }

func (b burst) Set(text string) error {
	times, long, found := strings.Cut(text, "x")
	n, err := strconv.ParseFloat(times, 64)
	d, err2 := time.ParseDuration(long)
	if !found || err != nil || err2 != nil || !(n >= 1 && n <= 1000) || d < time.Second || d > 24*time.Hour {
		return errors.New("want times and duration as in 10x5m, up to 1000x24h")
	}
	b.s.Burst, b.s.BurstFor = n, d
	return nil
}

// flags declares the flags of a simulation.
func (s *Scenario) flags(f *flag.FlagSet) {
	f.Var(burst{s}, "burst", "simulate a `burst`, as in 10x5m: ten times the rate for five minutes")
	f.DurationVar(&s.Outage, "outage", 0, "simulate a `duration` in which Kinesis accepts nothing")
	f.IntVar(&s.ThrottleRate, "throttle-rate", 0, "simulate with this throttleRate; 0: the value of the plan")
	f.IntVar(&s.Drainers, "drainers", 0, "simulate with this drainerConcurrency; 0: the value of the plan")
	f.IntVar(&s.StreamDrainers, "stream-drainers", 0, "simulate with this streamDrainers; 0: the value of the plan")
	f.IntVar(&s.MaxBacklogMiB, "max-backlog-mib", 0, "simulate with this maxBacklogMiB for each stream; 0: no bound")
	f.BoolVar(&s.Refuse, "refuse", false, `simulate with "overflow": "refuse"`)
	f.Uint64Var(&s.Seed, "seed", 1, "`seed` of the random numbers")
}

// wanted reports whether there is something to simulate.
func (s Scenario) wanted() bool { return s.Burst > 0 || s.Outage > 0 }

// validate returns all problems, by the names of the flags.
func (s Scenario) validate(l Load) error {
	var problems []error
	if s.Outage < 0 || s.Outage > 24*time.Hour {
		problems = append(problems, fmt.Errorf("-outage %v: want up to 24h", s.Outage))
	}
	for name, n := range map[string]int{"drainers": s.Drainers, "stream-drainers": s.StreamDrainers} {
		if n < 0 || n > maxSetting("drainerConcurrency") {
			problems = append(problems, fmt.Errorf("-%s %d: want up to %d", name, n, maxSetting("drainerConcurrency")))
		}
	}
	if s.MaxBacklogMiB < 0 || s.MaxBacklogMiB > 1<<20 {
		problems = append(problems, fmt.Errorf("-max-backlog-mib %d: want up to %d", s.MaxBacklogMiB, 1<<20))
	}
	if s.ThrottleRate < 0 || s.ThrottleRate > 1_000_000 {
		problems = append(problems, fmt.Errorf("-throttle-rate %d: want up to 1000000", s.ThrottleRate))
	}
	only := s.ThrottleRate != 0 || s.Drainers != 0 || s.StreamDrainers != 0 || s.MaxBacklogMiB != 0 || s.Refuse
	if only && !s.wanted() {
		problems = append(problems, errors.New("-throttle-rate, -drainers, -stream-drainers, -max-backlog-mib and -refuse need a simulation: add -burst or -outage"))
	}
	if s.wanted() && l.oversize() {
		problems = append(problems, fmt.Errorf("-burst and -outage simulate the queue, but bodies of %d bytes become direct records", l.Size))
	}
	if s.wanted() {
		if stack, err := l.settings(); err == nil && (stack.Serverless() || stack.Front == settings.FrontURL || l.Batch > 1 || l.NoTap) {
			problems = append(problems, errors.New("-burst and -outage simulate only front=api, cache=nodes, -batch 1 and streams with a tap"))
		}
	}
	return errors.Join(problems...)
}

// filledIn returns the scenario with the settings of the plan where it has none.
func (s Scenario) filledIn(p Plan) Scenario {
	if s.ThrottleRate == 0 {
		s.ThrottleRate = p.Load.throttle()
	}
	if s.Drainers == 0 {
		s.Drainers = max(defaults.DrainerConcurrency, p.Drainer.Concurrency)
	}
	if s.StreamDrainers == 0 {
		s.StreamDrainers = max(defaults.StreamDrainers, p.Drainer.Stream)
	}
	s.StreamDrainers = min(s.StreamDrainers, s.Drainers)
	return s
}
