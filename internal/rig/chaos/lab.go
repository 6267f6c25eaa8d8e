package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/rig/awstest"
)

// Lab is what any run is made with.
type Lab struct {
	// Seed determines bodies and faults.
	Seed uint64
	// Bin is a folder for the functions' bootstraps; what it has is not built
	// again. Default a folder of the run.
	Bin string
	// Dir is the parent of the run's folder. Default that for temporary files.
	Dir string
	// Log takes what happens, line by line. Nil for nobody.
	Log io.Writer
}

// settings are those of the functions and of what triggers them.
type settings struct {
	// ingest, drainers and bridges are how many processes there are at most.
	ingest, drainers, bridges int
	// drainer is the package of the drainer's bootstrap.
	drainer string
	leasing leasing
	// ingestEnv and drainerEnv are variables, as "NAME=value".
	ingestEnv, drainerEnv []string
	// schedule is how often the drainer sweeps, and wakeUps how many wake-ups it
	// serves at once.
	schedule time.Duration
	wakeUps  int
	// inMemory has Redis write nothing to disk, as a cache in the cloud does not.
	inMemory bool
	// cluster has Redis be one, of three nodes.
	cluster bool
}

// suite is one run.
type suite struct {
	options  Options
	lab      Lab
	settings settings
	dir      string
	log      *logger

	redis     *redisServer
	aws       *awsAccount
	links     *links
	functions *functions
	ledger    *ledger
	load      *load
	traps     *traps
	claims    *claimTable
	problems  *problems
	// delivered, if set, is told what a bridge has delivered, and when.
	delivered func(batch []awstest.Record, at time.Time)

	kills, faults, missed counter
}

// inLab starts all parts, has do use them and ends them. The run's folder stays
// when verdict, which is asked after do, is not in order.
func inLab(ctx context.Context, l Lab, set settings, do func(*suite) error, verdict func() error) error {
	dir, err := os.MkdirTemp(l.Dir, "chaos-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	s := &suite{lab: l, settings: set, dir: dir, log: newLogger(l.Log), problems: &problems{}}
	if err = s.start(ctx); err == nil {
		err = do(s)
	}
	s.stop()
	if err != nil || verdict() == nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	s.log.printf("what is left to look at: %s", dir)
	return nil
}

// start brings up everything, the last first.
func (s *suite) start(ctx context.Context) error {
	s.traps = newTraps()
	s.claims = newClaimTable(s.problems, s.settings.leasing.lease)
	s.ledger = newLedger(s.lab.Seed)
	var err error
	if s.redis, err = startRedis(filepath.Join(s.dir, "redis"), !s.settings.inMemory, s.settings.cluster); err != nil {
		return err
	}
	if s.aws, err = startAWS(filepath.Join(s.dir, "s3"), s.lab.Seed, s.traps); err != nil {
		return err
	}
	if s.links, err = startLinks(s.redis.addrs(), s.aws.server.Addr); err != nil {
		return err
	}
	if s.functions, err = s.startFunctions(ctx); err != nil {
		return err
	}
	s.load = newLoad(s.functions.ingest, s.settings.ingest, s.redis.queue, s.ledger)
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

// pullTriggers has the drainer and the bridge invoked until end, which may be
// called twice.
func (s *suite) pullTriggers(ctx context.Context) (end func()) {
	return s.pull(ctx, s.deliverWakeUps, s.schedule, s.mapStreams)
}

func (s *suite) pull(ctx context.Context, triggers ...func(context.Context)) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for _, trigger := range triggers {
		wg.Go(func() { trigger(ctx) })
	}
	return func() {
		cancel()
		wg.Wait()
	}
}
