package chaos

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/backoff"
	"golang.org/x/sync/errgroup"
)

// fault is something that is done to the pipeline.
type fault struct {
	name string
	do   action
}

// action injects a fault and undoes it, also when ctx ends. It reports whether the
// fault took place: some faults have to wait until a function reaches a step.
type action func(ctx context.Context, random *rand.Rand) (done bool, err error)

// injectAll injects all faults, round after round, on three concurrent tracks: faults of
// processes, of calls of services, and of everything in between. The seed determines
// order and durations. The load is spread over the third track.
func (s *suite) injectAll(ctx context.Context) error {
	tracks, trackCtx := errgroup.WithContext(ctx)
	rounds := s.options.rounds()
	for i, faults := range [][]fault{s.processFaults(), s.serviceFaults()} {
		tracks.Go(func() error {
			for _, f := range plan(s.selected(faults), rounds, newRandom(s.options.Seed, uint64(3+i))) {
				if err := s.inject(trackCtx, f); err != nil {
					return err
				}
			}
			return nil
		})
	}
	tracks.Go(func() error {
		between := plan(s.selected(s.betweenFaults()), rounds, newRandom(s.options.Seed, 5))
		for i, f := range between {
			goal := s.options.Records * (i + 1) / len(between)
			s.load.setRate(max(leastRate, (goal-s.ledger.ackedCount())*5/4))
			if err := s.inject(trackCtx, f); err != nil {
				return err
			}
			s.load.await(trackCtx, goal)
		}
		// The other tracks need load for as long as they last.
		s.load.setRate(4 * leastRate)
		return trackCtx.Err()
	})
	if err := tracks.Wait(); err != nil {
		return err
	}
	s.load.await(ctx, s.options.Records)
	return ctx.Err()
}

// leastRate is the lowest load under a fault, in records per second.
const leastRate = 100

func (s *suite) selected(all []fault) []fault {
	if s.options.Faults == nil {
		return all
	}
	var some []fault
	for _, f := range all {
		if s.options.Faults.MatchString(f.name) {
			some = append(some, f)
		}
	}
	return some
}

// planned is a fault of the schedule with its own seed, so that the course of one
// fault does not change the next.
type planned struct {
	fault
	seed uint64
}

// plan returns the schedule of a track: every fault once in each round.
func plan(faults []fault, rounds int, random *rand.Rand) []planned {
	var all []planned
	for range rounds {
		for _, i := range random.Perm(len(faults)) {
			all = append(all, planned{faults[i], random.Uint64()})
		}
	}
	return all
}

// inject injects a fault and undoes it.
func (s *suite) inject(ctx context.Context, f planned) error {
	begun := time.Now()
	done, err := f.do(ctx, newRandom(f.seed, 0))
	switch {
	case done:
		s.faults.Add(1)
		s.log.printf("%s, %.1fs", f.name, time.Since(begun).Seconds())
	case err == nil:
		s.missed.Add(1)
		s.log.printf("%s: missed", f.name)
	}
	return err
}

// hold waits for as long as a fault between functions and services lasts.
func hold(ctx context.Context, random *rand.Rand) {
	backoff.Sleep(ctx, 300*time.Millisecond+time.Duration(random.IntN(400))*time.Millisecond)
}
