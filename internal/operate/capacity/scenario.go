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
	// ThrottleRate is the setting of the stack; 0: the value of the plan.
	ThrottleRate int `json:"throttleRate"`
	// MaxBacklogMiB is the field of each stream in streams.json; 0: no bound.
	MaxBacklogMiB int `json:"maxBacklogMib,omitempty"`
}

// setBurst parses a burst as in 10x5m: ten times the load for five minutes.
func (s *Scenario) setBurst(text string) error {
	times, long, found := strings.Cut(text, "x")
	n, err := strconv.ParseFloat(times, 64)
	d, err2 := time.ParseDuration(long)
	if !found || err != nil || err2 != nil || !(n >= 1 && n <= 1000) || d < time.Second || d > 24*time.Hour {
		return errors.New("want times and duration as in 10x5m, up to 1000x24h")
	}
	s.Burst, s.BurstFor = n, d
	return nil
}

// flags declares the flags of a simulation.
func (s *Scenario) flags(f *flag.FlagSet) {
	f.Func("burst", "simulate a `burst`, as in 10x5m: ten times the rate for five minutes", s.setBurst)
	f.DurationVar(&s.Outage, "outage", 0, "simulate a `duration` in which Kinesis accepts nothing")
	f.IntVar(&s.ThrottleRate, "throttle-rate", 0, "simulate with this throttleRate; 0: the value of the plan")
	f.IntVar(&s.MaxBacklogMiB, "max-backlog-mib", 0, "simulate with this maxBacklogMiB for each stream; 0: no bound")
}

// wanted reports whether there is something to simulate.
func (s Scenario) wanted() bool { return s.Burst > 0 || s.Outage > 0 }

// validate returns all problems, by the names of the flags.
func (s Scenario) validate(l Load) error {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if s.Outage < 0 || s.Outage > 24*time.Hour {
		problem("-outage %v: want up to 24h", s.Outage)
	}
	if s.MaxBacklogMiB < 0 || s.MaxBacklogMiB > 1<<20 {
		problem("-max-backlog-mib %d: want up to %d", s.MaxBacklogMiB, 1<<20)
	}
	if s.ThrottleRate < 0 || s.ThrottleRate > maxSetting("throttleRate") {
		problem("-throttle-rate %d: want up to %d", s.ThrottleRate, maxSetting("throttleRate"))
	}
	if !s.wanted() {
		if s.ThrottleRate != 0 || s.MaxBacklogMiB != 0 {
			problem("-throttle-rate and -max-backlog-mib need a simulation: add -burst or -outage")
		}
		return errors.Join(problems...)
	}
	if l.oversize() {
		problem("-burst and -outage simulate the queue, but bodies of %d bytes become direct records", l.Size)
	}
	if stack, err := l.settings(); err == nil && (stack.Serverless() || stack.Front == settings.FrontURL || l.Batch > 1 || l.NoTap) {
		problem("-burst and -outage simulate only front=api, cache=nodes, -batch 1 and streams with a tap")
	}
	return errors.Join(problems...)
}
