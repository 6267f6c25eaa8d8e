// Capacity computes what a load needs of each hop, what it costs, and which limit comes
// next. With -burst or -outage it simulates the load second by second.
//
//	go run ./internal/operate/capacity -rate 10000 -size 1024 -streams 20
//
// It is a model: the work for a record was measured (measured.go), prices and quotas
// are published by AWS (prices.go, quotas.go). It uses no clock and no network.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// usageError is an error in the command line.
type usageError struct{ error }

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.As(err, new(usageError)):
		fmt.Fprintln(os.Stderr, "capacity:", strings.ReplaceAll(err.Error(), "\n", "\ncapacity: "))
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "capacity:", err)
		os.Exit(1)
	}
}

// report is what -json prints.
type report struct {
	Plan       Plan     `json:"plan"`
	Simulation *Outcome `json:"simulation,omitempty"`
	Prices     string   `json:"prices"`
}

func run(args []string, out, usage io.Writer) error {
	l, s, asJSON, err := parse(args, usage)
	if err != nil {
		return err
	}
	r := report{Plan: newPlan(l), Prices: caveat}
	if s.wanted() {
		o := simulate(r.Plan, s)
		r.Simulation = &o
	}
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(r); err != nil {
			return fmt.Errorf("printing: %w", err)
		}
		return nil
	}
	if err := r.Plan.print(out); err != nil {
		return err
	}
	if r.Simulation != nil {
		return r.Simulation.print(out)
	}
	return nil
}

func parse(args []string, usage io.Writer) (l Load, s Scenario, asJSON bool, err error) {
	l = defaultLoad()
	f := flag.NewFlagSet("capacity", flag.ContinueOnError)
	f.SetOutput(io.Discard) // main prints the error
	f.Float64Var(&l.Rate, "rate", l.Rate, "mean number of `records` a second")
	f.Float64Var(&l.Peak, "peak", l.Peak, "factor: size everything for this many `times` the rate")
	f.IntVar(&l.Size, "size", l.Size, "`bytes` of a decoded body")
	f.IntVar(&l.Streams, "streams", l.Streams, "`number` of streams")
	f.Float64Var(&l.Busiest, "busiest", l.Busiest, "`share` of all records that the busiest stream has, 0 to 1; 0: all streams have the same")
	f.Float64Var(&l.Compression, "compression", l.Compression, "factor: compressed objects are this many `times` smaller")
	f.BoolVar(&l.OnDemand, "on-demand", l.OnDemand, "Kinesis streams with on-demand capacity")
	f.BoolVar(&l.NoTap, "no-tap", false, "streams without a tap: no Kinesis streams and no bridge")
	f.BoolVar(&l.Keys, "keys", false, "each request has an idempotency key, which needs memory of the cache")
	f.StringVar(&l.Region, "region", l.Region, "`Region` whose quotas apply; prices are always those of us-east-1")
	f.StringVar(&l.Node, "node", l.Node, "cache node `type`; auto: the cheapest type that is sufficient")
	f.IntVar(&l.Replicas, "replicas", l.Replicas, "`number` of replicas of each cache shard")
	f.Float64Var(&l.BacklogMinutes, "backlog-minutes", l.BacklogMinutes, "`minutes` of records for which the cache must have room")
	f.IntVar(&l.IngestMemory, "ingest-memory", l.IngestMemory, "`MB` of the ingest function")
	f.IntVar(&l.DrainerMemory, "drainer-memory", l.DrainerMemory, "`MB` of the drainer function")
	f.IntVar(&l.BridgeMemory, "bridge-memory", l.BridgeMemory, "`MB` of the bridge function")
	f.IntVar(&l.Batch, "batch", l.Batch, "`number` of records in one request")
	f.StringVar(&l.Profile, "profile", "", "`profile` of the stack: standard or small")
	f.StringVar(&l.Front, "front", "", "`front` of the stack: api or url; default: of the profile")
	f.StringVar(&l.Egress, "egress", "", "`egress` of the stack: endpoints, endpoint, ipv6 or both; default: of the profile")
	f.StringVar(&l.CacheKind, "cache", "", "`cache` of the stack: nodes or serverless; default: of the profile")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	s.flags(f)
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		f.SetOutput(usage)
		f.Usage()
		return l, s, asJSON, err
	case err != nil:
		return l, s, asJSON, usageError{err}
	case f.NArg() > 0:
		return l, s, asJSON, usageError{fmt.Errorf("%q: not a flag; -h lists them", f.Arg(0))}
	}
	if err := errors.Join(l.validate(), s.validate(l)); err != nil {
		return l, s, asJSON, usageError{err}
	}
	return l, s, asJSON, nil
}
