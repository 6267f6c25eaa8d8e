// Command chaos makes a run of package chaos. It exits with 1 when a record is
// lost, a body differs or duplicates exceed what the faults allow.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"

	"github.com/data-sink/data-sink/internal/chaos"
)

func main() {
	records := flag.Int("n", 50_000, "records to acknowledge, at least")
	seed := flag.Uint64("seed", 1, "determines bodies and faults")
	rounds := flag.Int("rounds", 0, "how often every fault is made; 0: once for each 12,500 records, 16 at most")
	faults := flag.String("faults", "", "make only the faults whose names match this regular expression")
	flag.Parse()
	if *records < 1 || *rounds < 0 || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "chaos: want -n of 1 or more, -rounds of 0 or more and no arguments")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	verdict, err := run(ctx, chaos.Options{Records: *records, Seed: *seed, Rounds: *rounds, Log: os.Stdout}, *faults)
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
	// What is wrong comes first: the last line is the verdict's.
	wrong := verdict.Err()
	if wrong != nil {
		fmt.Fprintln(os.Stderr, wrong)
	}
	fmt.Println(verdict)
	if wrong != nil {
		os.Exit(1)
	}
}

func run(ctx context.Context, o chaos.Options, faults string) (chaos.Verdict, error) {
	if faults != "" {
		selected, err := regexp.Compile(faults)
		if err != nil {
			return chaos.Verdict{}, fmt.Errorf("reading -faults: %w", err)
		}
		o.Faults = selected
	}
	return chaos.Run(ctx, o)
}
