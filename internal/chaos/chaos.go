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
// run it: `go run ./internal/cmd/chaos -n 50000 -seed 1`.
package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// Options say how much chaos there is.
type Options struct {
	// Records is how many records must be acknowledged, at least.
	Records int
	// Seed determines bodies and faults.
	Seed uint64
	// Rounds is how often every fault is made. 0: once for each 12,500 records,
	// but 16 times at most.
	Rounds int
	// Faults selects faults by their names. Nil: all.
	Faults *regexp.Regexp
	// Drainer is the package of the drainer's bootstrap. Default the real one.
	Drainer string
	// Bin is a folder for the functions' bootstraps; what it has is not built
	// again. Default a folder of the run.
	Bin string
	// Dir is the parent of the run's folder. Default that for temporary files.
	Dir string
	// Log takes what happens, line by line. Nil for nobody.
	Log io.Writer
}

const (
	maxRounds       = 16
	recordsPerRound = 12_500
	realDrainer     = "./functions/drainer"
)

// suite is one run.
type suite struct {
	options Options
	dir     string
	log     *logger

	redis     *redisServer
	aws       *awsAccount
	links     *links
	functions *functions
	ledger    *ledger
	load      *load
	traps     *traps
	claims    *claimTable
	problems  *problems

	kills, faults, missed counter
}

// Run makes a run and returns its verdict. An error means that there is none.
// All that it made is gone then, but after a verdict that is not in order its
// folder stays, with the archive and the functions' log.
func Run(ctx context.Context, o Options) (Verdict, error) {
	if o.Rounds == 0 {
		o.Rounds = min(max(1, o.Records/recordsPerRound), maxRounds)
	}
	if o.Drainer == "" {
		o.Drainer = realDrainer
	}
	dir, err := os.MkdirTemp(o.Dir, "chaos-")
	if err != nil {
		return Verdict{}, fmt.Errorf("making a folder: %w", err)
	}
	s := &suite{options: o, dir: dir, log: newLogger(o.Log), problems: &problems{}}
	v, err := s.run(ctx)
	if err != nil || v.Err() == nil {
		return v, errors.Join(err, os.RemoveAll(dir))
	}
	s.log.printf("what is left to look at: %s", dir)
	return v, nil
}

func (s *suite) run(ctx context.Context) (Verdict, error) {
	if err := s.start(ctx); err != nil {
		s.stop()
		return Verdict{}, err
	}
	defer s.stop()
	s.log.printf("seed %d, %d records, %d rounds", s.options.Seed, s.options.Records, s.options.Rounds)

	background, endBackground := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { s.deliverWakeUps(background) })
	wg.Go(func() { s.schedule(background) })
	wg.Go(func() { s.mapStreams(background) })
	loadCtx, endLoad := context.WithCancel(ctx)
	var senders sync.WaitGroup
	senders.Go(func() { s.load.run(loadCtx) })

	err := s.rage(ctx)
	endLoad()
	senders.Wait()
	if err == nil {
		err = s.drainToTheEnd(ctx)
	}
	endBackground()
	wg.Wait()
	if err != nil {
		return Verdict{}, err
	}
	return s.verdict()
}

// start brings up everything, the last first.
func (s *suite) start(ctx context.Context) error {
	s.traps = newTraps()
	s.claims = newClaimTable(s.problems)
	s.ledger = newLedger(s.options.Seed)
	var err error
	if s.redis, err = startRedis(filepath.Join(s.dir, "redis")); err != nil {
		return err
	}
	if s.aws, err = startAWS(filepath.Join(s.dir, "s3"), s.options.Seed, s.traps); err != nil {
		return err
	}
	if s.links, err = startLinks(s.redis.addr(), s.aws.server.Addr); err != nil {
		return err
	}
	if s.functions, err = s.startFunctions(ctx); err != nil {
		return err
	}
	s.load = newLoad(s.functions.ingest, s.redis.queue, s.ledger)
	return nil
}

func (s *suite) stop() {
	if s.functions != nil {
		s.functions.close()
	}
	if s.links != nil {
		s.links.close()
	}
	if s.aws != nil {
		s.aws.server.Close()
	}
	if s.redis != nil {
		s.redis.close()
	}
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
