// Command chaos makes a run of package chaos, or one of its scenarios. It exits
// with 1 when a record is lost, a body differs, duplicates exceed what the faults
// allow, or the scenario's promise is broken.
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

// report is how a run ended. Its last line has a fixed form.
type report interface {
	fmt.Stringer
	Err() error
}

// scenarios are those beside the run of everything.
var scenarios = map[string]func(context.Context, chaos.Lab) (report, error){
	"outage": func(ctx context.Context, l chaos.Lab) (report, error) {
		return chaos.Outage(ctx, chaos.OutageOptions{Lab: l})
	},
	"isolation": func(ctx context.Context, l chaos.Lab) (report, error) {
		return chaos.Isolation(ctx, chaos.IsolationOptions{Lab: l})
	},
	"rotation": func(ctx context.Context, l chaos.Lab) (report, error) {
		return chaos.Rotation(ctx, chaos.RotationOptions{Lab: l})
	},
}

func main() {
	scenario := flag.String("scenario", "", "isolation, outage or rotation; empty for everything at once, to which the other flags belong")
	records := flag.Int("n", 50_000, "records to acknowledge, at least")
	seed := flag.Uint64("seed", 1, "determines bodies and faults")
	rounds := flag.Int("rounds", 0, "how often every fault is made; 0: once for each 12,500 records, 16 at most")
	faults := flag.String("faults", "", "make only the faults whose names match this regular expression")
	cluster := flag.Bool("cluster", false, "have Redis be a cluster of three nodes")
	flag.Parse()
	if *records < 1 || *rounds < 0 || flag.NArg() > 0 || *scenario != "" && scenarios[*scenario] == nil {
		fmt.Fprintln(os.Stderr, "chaos: want -n of 1 or more, -rounds of 0 or more, a scenario that there is, and no arguments")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	lab := chaos.Lab{Seed: *seed, Log: os.Stdout}
	var r report
	var err error
	if *scenario != "" {
		r, err = scenarios[*scenario](ctx, lab)
	} else {
		r, err = run(ctx, chaos.Options{Lab: lab, Records: *records, Rounds: *rounds, Cluster: *cluster}, *faults)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
	// What is wrong comes first: the last line is the report's.
	wrong := r.Err()
	if wrong != nil {
		fmt.Fprintln(os.Stderr, wrong)
	}
	fmt.Println(r)
	if wrong != nil {
		os.Exit(1)
	}
}

func run(ctx context.Context, o chaos.Options, faults string) (report, error) {
	if faults != "" {
		selected, err := regexp.Compile(faults)
		if err != nil {
			return nil, fmt.Errorf("reading -faults: %w", err)
		}
		o.Faults = selected
	}
	return chaos.Run(ctx, o)
}
