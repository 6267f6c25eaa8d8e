// Package chaos proves that no acknowledged record is lost.
//
// A run starts the real functions as processes, a real redis-server that syncs its
// append-only file on every write, and the local AWS on a port. The connections between
// them lead over ways, which can be cut, slowed down and partitioned. Under load the run
// kills, freezes, throttles and fails all parts on a schedule that the seed determines.
// Then it removes all faults, drains the pipeline and compares every acknowledged body
// with the archive, byte for byte.
//
// Duplicates are allowed after faults. They are counted and must not exceed the
// bound that follows from the faults of the run, see Bound. To start a run: `go run
// ./internal/rig/chaos/cmd -n 50000 -seed 1`.
//
// The scenarios Outage, Isolation, Retry and Rotation run on the same parts. Each one
// measures one promise under one fault.
//
// The parts: lab.go starts everything, functions.go the functions. way.go, relay.go and
// link.go are the network, on which watcher.go sees claims and pushes. processes.go,
// services.go and between.go declare the faults that faults.go injects. ledger.go knows
// which records were acknowledged; claims.go, calls.go, mapping.go and partition.go count
// what may arrive twice; verdict.go compares both with the archive.
package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"sync"
	"time"
)

// Options configure a run.
type Options struct {
	Lab
	// Records is the least number of records to acknowledge. Every fault is injected
	// once for each 12,500 of them, at least once and at most 16 times.
	Records int
	// Faults selects faults by name. Nil selects all.
	Faults *regexp.Regexp
	// Drainer is the package of the drainer's bootstrap. Default: the real drainer.
	Drainer string
	// Cluster runs Redis as a cluster of three nodes.
	Cluster bool
}

// rounds returns the number of times that every fault is injected.
func (o Options) rounds() int { return min(max(1, o.Records/12_500), 16) }

// Run performs a run and returns its verdict. It returns an error if the run did not
// reach a verdict. It removes the run's folder, unless the verdict fails: then the
// folder stays, with the archive and the log of the functions.
func Run(ctx context.Context, o Options) (Verdict, error) {
	set := hurried()
	if o.Cluster {
		set.cluster, set.replica, set.tls = true, false, false
	}
	if o.Drainer != "" {
		set.drainer = o.Drainer
	}
	var v Verdict
	err := inLab(ctx, o.Lab, set, func(s *suite) (err error) {
		s.options = o
		v, err = s.run(ctx)
		return err
	}, func() error { return v.Err() })
	return v, err
}

func (s *suite) run(ctx context.Context) (Verdict, error) {
	s.log.printf("seed %d, %d records, %d rounds", s.options.Seed, s.options.Records, s.options.rounds())
	endTriggers := s.pullTriggers(ctx)
	defer endTriggers()
	loadCtx, endLoad := context.WithCancel(ctx)
	var senders sync.WaitGroup
	senders.Go(func() { s.load.run(loadCtx) })

	err := s.injectAll(ctx)
	endLoad()
	senders.Wait()
	if err != nil {
		return Verdict{}, err
	}
	return s.settle(ctx, endTriggers)
}

// settle drains the pipeline, ends the triggers and returns the verdict.
func (s *suite) settle(ctx context.Context, endTriggers func()) (Verdict, error) {
	if err := s.drain(ctx); err != nil {
		return Verdict{}, err
	}
	endTriggers()
	return s.verdict()
}

// drain waits until every accepted record has reached Firehose.
func (s *suite) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute+time.Duration(s.options.Records)*time.Millisecond/10)
	defer cancel()
	for {
		queued, err := s.queued(ctx)
		behind := s.behind()
		if err == nil && queued == 0 && behind == 0 {
			return errors.Join(s.checkBalance(ctx), s.aws.Firehose.Flush(ctx))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("draining: %d records are queued, and %d bytes are in Kinesis: %w", queued, behind, errors.Join(ctx.Err(), err))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// queued returns the number of records in queues and claims.
func (s *suite) queued(ctx context.Context) (int64, error) {
	var queued int64
	for _, name := range streams.Names() {
		state, err := s.redis.queue.Inspect(ctx, name)
		if err != nil {
			return queued, fmt.Errorf("inspecting the queue: %w", err)
		}
		queued += state.Depth + state.ClaimedRecords
	}
	return queued, nil
}

// newRandom returns the random source of one part of the run.
func newRandom(seed, part uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, part)) // reproducible on purpose
}
