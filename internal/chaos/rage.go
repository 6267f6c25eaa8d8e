package chaos

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// fault is one thing that is done to the service. It returns when that is undone
// again, or when ctx ends, and reports whether it came to it: some have to wait
// for a function to come to a step.
type fault struct {
	name string
	do   func(ctx context.Context, random *rand.Rand) (done bool, err error)
}

// rage makes all faults, round after round, in two lanes side by side: what
// happens to processes, and what happens to all around them. The order and the
// durations follow from the seed. The load is spread over the second lane.
func (s *suite) rage(ctx context.Context) error {
	processes := s.selected(s.processFaults())
	surroundings := s.selected(s.surroundingFaults())
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	var lane error
	wg.Go(func() {
		if lane = s.lane(ctx, processes, newRandom(s.options.Seed, 3), nil); lane != nil {
			cancel()
		}
	})

	// The share of the load that each fault of the second lane gets.
	slots := max(1, s.options.Rounds*len(surroundings))
	slot := 0
	err := s.lane(ctx, surroundings, newRandom(s.options.Seed, 4), func(during func() error) error {
		slot++
		goal := int64(s.options.Records) * int64(slot) / int64(slots)
		s.load.rate.Store(max(leastRate, (goal-s.load.goal.Load())*5/4))
		s.load.goal.Store(goal)
		if err := during(); err != nil {
			return err
		}
		s.load.await(ctx)
		return ctx.Err()
	})
	if err != nil {
		cancel()
		wg.Wait()
		return err
	}
	// Kills need claims, and so load, for as long as they last.
	s.load.goal.Store(int64(s.options.Records))
	s.load.rate.Store(leastRate * 4)
	wg.Wait()
	if lane == nil {
		s.load.await(ctx)
		lane = ctx.Err()
	}
	return lane
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

// lane makes the faults one after the other, each once in a round.
func (s *suite) lane(ctx context.Context, faults []fault, random *rand.Rand, around func(during func() error) error) error {
	if around == nil {
		around = func(during func() error) error { return during() }
	}
	for range s.options.Rounds {
		for _, i := range random.Perm(len(faults)) {
			f := faults[i]
			// A source of its own: how a fault went must not change the next.
			own := newRandom(random.Uint64(), 5)
			err := around(func() error {
				begun := time.Now()
				done, err := f.do(ctx, own)
				if done {
					s.faults.Add(1)
					s.log.printf("%s, %.1fs", f.name, time.Since(begun).Seconds())
				} else if err == nil {
					s.missed.Add(1)
					s.log.printf("%s: missed", f.name)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// hold is how long a fault of the surroundings lasts.
func hold(ctx context.Context, random *rand.Rand) {
	sleep(ctx, 300*time.Millisecond+time.Duration(random.IntN(400))*time.Millisecond)
}
