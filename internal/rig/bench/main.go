// Bench measures every hop of the pipeline. Beside each hop it measures the floor:
// the smallest loop that can do the same work with the same parts. Both alternate in
// one run, so that their ratio is valid on a busy machine, where neither of the
// figures is.
//
//	go run ./internal/rig/bench [-short] [-only regexp] [-samples file]
//
// The report is at the end of the output, one figure a line:
//
//	bench: <name> <value> <unit> floor=<value> ratio=<value>
//
// The values are medians over the rounds. The file of samples has every round in the
// format of Go's benchmarks, for benchstat.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"regexp"
	"runtime"
	"runtime/pprof"
	"time"
)

// row is a part of the report that can be measured alone.
type row struct {
	name string
	// rounds is the number of measurements of each side.
	rounds int
	run    func(l *lab, rounds int) ([]figure, error)
}

func rows() []row {
	return []row{
		{"ingest.invoke", 40, ingestInvoke},
		{"ingest.invoke.wake", 10, ingestInvokeWake},
		{"ingest.invoke.key", 20, ingestKey},
		{"ingest.cpu", 20, ingestCPU},
		{"ingest.batch", 8, ingestBatch},
		{"ingest.batch.cpu", 20, ingestBatchCPU},
		{"ingest.neighbour", 6, neighbourP99},
		{"ingest.key.memory", 1, keyMemory},
		{"drain.rate", 8, drainRate},
		{"drain.small", 8, drainSmall},
		{"drain.direct", 8, drainDirect},
		{"bridge.rate", 12, bridgeRate},
		{"bridge.billed", 1, bridgeBilled},
		{"envelope", 20, envelopes},
		{"local.http", 8, localHTTP},
		{"local.embedded", 4, localEmbedded},
		{"cold.start", 20, coldStart},
		{"cold.start.connected", 20, coldStartConnected},
		{"binary.size", 1, binarySize},
		{"memory.drain", 1, memoryDrain},
		{"backlog.scale", 5, backlogScale},
		{"billed", 1, billed},
	}
}

func main() {
	var o options
	flag.BoolVar(&o.short, "short", false, "measure one short round of everything, to check that it works")
	flag.StringVar(&o.only, "only", "", "measure only the rows whose name matches `regexp`")
	flag.StringVar(&o.samples, "samples", "", "write the samples of all rounds to `file` for benchstat")
	flag.StringVar(&o.profile, "cpuprofile", "", "write a CPU profile to `file`; its label side is ours or floor")
	flag.Parse()
	log.SetFlags(0)
	if err := run(o, os.Stdout); err != nil {
		log.Fatal("bench: ", err)
	}
}

type options struct {
	short                  bool
	only, samples, profile string
}

func run(o options, out io.Writer) (err error) {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return fmt.Errorf("reading -only: %w", err)
	}
	if o.profile != "" {
		stop, err := startProfile(o.profile)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	l, err := newLab(o.short)
	if err != nil {
		return err
	}
	defer l.close()

	_, _ = fmt.Fprintf(out, "goos: %s\ngoarch: %s\ncpu: %s, %d used\n", runtime.GOOS, runtime.GOARCH, cpuModel(), runtime.GOMAXPROCS(0))
	var figures []figure
	for _, r := range rows() {
		if !only.MatchString(r.name) {
			continue
		}
		rounds := r.rounds
		if o.short {
			rounds = 1
		}
		began := time.Now()
		got, err := r.run(l, rounds)
		if err != nil {
			return fmt.Errorf("measuring %s: %w", r.name, err)
		}
		_, _ = fmt.Fprintf(out, "%-20s %5.1f s\n", r.name, time.Since(began).Seconds())
		figures = append(figures, got...)
	}
	if o.samples != "" {
		if err := writeSamples(o.samples, figures); err != nil {
			return err
		}
	}
	_, _ = io.WriteString(out, "\n"+l.notes.String())
	for _, f := range figures {
		_, _ = fmt.Fprintln(out, f.line())
	}
	return nil
}

func startProfile(name string) (stop func() error, err error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("creating the profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the profile: %w", err), f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
