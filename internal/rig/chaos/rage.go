package chaos

import (
	"context"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"
)

// fault is one thing that is done to the service. It returns when that is undone
// again, or when ctx ends, and reports whether it came to it: some have to wait
// for a function to come to a step.
type fault struct {
	name string
	do   func(ctx context.Context, random *rand.Rand) (done bool, err error)
}

// rage makes all faults, round after round, in three lanes side by side: what
// happens to processes, to calls of the services, and to all that lies between.
// Order and durations follow from the seed. The load is spread over the third
// lane.
func (s *suite) rage(ctx context.Context) error {
	lanes, laneCtx := errgroup.WithContext(ctx)
	for i, faults := range [][]fault{s.processFaults(), s.serviceFaults()} {
		planned := plan(s.selected(faults), s.options.Rounds, newRandom(s.options.Seed, uint64(3+i)))
		lanes.Go(func() error {
			return s.lane(laneCtx, planned, func(during func() error) error { return during() })
		})
	}
	between := plan(s.selected(s.betweenFaults()), s.options.Rounds, newRandom(s.options.Seed, 5))
	lanes.Go(func() error {
		slot := 0
		err := s.lane(laneCtx, between, func(during func() error) error {
			slot++
			goal := int64(s.options.Records) * int64(slot) / int64(len(between))
			s.load.rate.Store(max(leastRate, (goal-s.load.goal.Load())*5/4))
			s.load.goal.Store(goal)
			if err := during(); err != nil {
				return err
			}
			s.load.await(laneCtx)
			return laneCtx.Err()
		})
		// The other lanes need load for as long as they last.
		s.load.goal.Store(int64(s.options.Records))
		s.load.rate.Store(leastRate * 4)
		return err
	})
	if err := lanes.Wait(); err != nil {
		return err
	}
	s.load.rate.Store(0)
	s.load.await(ctx)
	return ctx.Err()
}

// leastRate is the least load under a fault, in records per second.
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

// planned is a fault of the schedule, with the seed of all that is random in it:
// how one fault went changes nothing of the next.
type planned struct {
	fault
	seed uint64
}

// plan is the schedule of a lane: every fault once in each round.
func plan(faults []fault, rounds int, random *rand.Rand) []planned {
	var all []planned
	for range rounds {
		for _, i := range random.Perm(len(faults)) {
			all = append(all, planned{faults[i], random.Uint64()})
		}
	}
	return all
}

// lane makes the faults one after the other, each inside of around.
func (s *suite) lane(ctx context.Context, faults []planned, around func(during func() error) error) error {
	for _, f := range faults {
		err := around(func() error {
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
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// hold is how long a fault of the surroundings lasts.
func hold(ctx context.Context, random *rand.Rand) {
	sleep(ctx, 300*time.Millisecond+time.Duration(random.IntN(400))*time.Millisecond)
}
