// Package chaos proves that nothing which the service acknowledged is lost.
//
// It runs the real functions as processes, a real redis-server that writes its
// append-only file at once, and an endpoint for AWS, with a network fault
// library between them. Under load it kills, freezes, cuts, slows, throttles and
// fails all of them by a schedule that its seed determines; then it heals
// everything, drains to the end and compares every acknowledged body with the
// archive, byte for byte.
//
// Duplicates are allowed after faults, and counted: they must not exceed the
// bound that follows from the faults that were made, see Bound. How to
// run it: `go run ./internal/rig/chaos/cmd -n 50000 -seed 1`.
//
// Beside that stand scenarios, which hold one promise each against one fault on
// the same parts, and measure it: Outage, Isolation and Rotation.
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

// Options say how much chaos there is.
type Options struct {
	Lab
	// Records is how many records must be acknowledged, at least.
	Records int
	// Rounds is how often every fault is made. 0: once for each 12,500 records,
	// but 16 times at most.
	Rounds int
	// Faults selects faults by their names. Nil: all.
	Faults *regexp.Regexp
	// Drainer is the package of the drainer's bootstrap. Default the real one.
	Drainer string
	// Cluster has Redis be a cluster of three nodes.
	Cluster bool
}

const (
	maxRounds       = 16
	recordsPerRound = 12_500
)

// Run makes a run and returns its verdict. An error means that there is none.
// All that it made is gone then, but after a verdict that is not in order its
// folder stays, with the archive and the functions' log.
func Run(ctx context.Context, o Options) (Verdict, error) {
	if o.Rounds == 0 {
		o.Rounds = min(max(1, o.Records/recordsPerRound), maxRounds)
	}
	set := hurried()
	set.cluster = o.Cluster
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
	s.log.printf("seed %d, %d records, %d rounds", s.options.Seed, s.options.Records, s.options.Rounds)
	endTriggers := s.pullTriggers(ctx)
	defer endTriggers()
	loadCtx, endLoad := context.WithCancel(ctx)
	var senders sync.WaitGroup
	senders.Go(func() { s.load.run(loadCtx) })

	err := s.rage(ctx)
	endLoad()
	senders.Wait()
	if err != nil {
		return Verdict{}, err
	}
	if err := s.drainToTheEnd(ctx); err != nil {
		return Verdict{}, err
	}
	endTriggers()
	return s.verdict()
}

// drainToTheEnd waits until everything that was accepted has come through.
func (s *suite) drainToTheEnd(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute+time.Duration(s.options.Records)*time.Millisecond/10)
	defer cancel()
	for {
		left, err := s.left(ctx)
		if err == nil && left == 0 {
			return s.aws.server.Firehose.Flush()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("draining to the end: %d records are left: %w", left, errors.Join(ctx.Err(), err))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// left is how many records have not reached Firehose.
func (s *suite) left(ctx context.Context) (int64, error) {
	queued, err := s.queued(ctx)
	return queued + s.aws.behind(), err
}

// queued is how many records are in queues and claims.
func (s *suite) queued(ctx context.Context) (int64, error) {
	var queued int64
	for _, name := range streams.Names() {
		state, err := s.redis.queue.Inspect(ctx, name)
		if err != nil {
			return queued, fmt.Errorf("looking at the queue: %w", err)
		}
		queued += state.Depth + state.ClaimedRecords
	}
	return queued, nil
}

// newRandom is a source of its own for each part, by the seed.
func newRandom(seed, part uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, part)) //nolint:gosec // reproducible on purpose
}
