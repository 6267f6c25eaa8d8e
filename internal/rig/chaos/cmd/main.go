// Command chaos performs a run of package chaos, or one of its scenarios. It exits
// with status 1 if a record is lost, a body differs, duplicates exceed the bound, or
// the promise of the scenario is broken.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"

	"github.com/data-sink/data-sink/internal/rig/chaos"
)

// report is the result of a run or a scenario. The last line of its text has a fixed
// form.
type report interface {
	fmt.Stringer
	Err() error
}

// scenarios are the runs that -scenario selects.
var scenarios = map[string]func(context.Context, chaos.Lab) (chaos.Report, error){
	"outage": chaos.Outage, "isolation": chaos.Isolation, "retry": chaos.Retry, "rotation": chaos.Rotation,
}

func main() {
	scenario := flag.String("scenario", "", "isolation, outage, retry or rotation; empty for a run with all faults, which the other flags configure")
	records := flag.Int("n", 50_000, "least number of records to acknowledge")
	seed := flag.Uint64("seed", 1, "seed of the bodies and the faults")
	faults := flag.String("faults", "", "inject only the faults whose names match this `regexp`")
	cluster := flag.Bool("cluster", false, "run Redis as a cluster of three nodes")
	flag.Parse()
	if *records < 1 || flag.NArg() > 0 || *scenario != "" && scenarios[*scenario] == nil {
		fmt.Fprintln(os.Stderr, "chaos: want -n of 1 or more, a known scenario and no arguments")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	lab := chaos.Lab{Seed: *seed, Log: os.Stdout}
	r, err := run(ctx, *scenario, chaos.Options{Lab: lab, Records: *records, Cluster: *cluster}, *faults)
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
	// The report comes last, so print what is wrong before it.
	wrong := r.Err()
	if wrong != nil {
		fmt.Fprintln(os.Stderr, wrong)
	}
	fmt.Println(r)
	if wrong != nil {
		os.Exit(1)
	}
}

func run(ctx context.Context, scenario string, o chaos.Options, faults string) (report, error) {
	if scenario != "" {
		return scenarios[scenario](ctx, o.Lab)
	}
	if faults != "" {
		selected, err := regexp.Compile(faults)
		if err != nil {
			return nil, fmt.Errorf("reading -faults: %w", err)
		}
		o.Faults = selected
	}
	return chaos.Run(ctx, o)
}
