package chaos

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/rig/redistest"
)

// Lab is the environment of a run or a scenario.
type Lab struct {
	// Seed is the seed of the bodies and the faults.
	Seed uint64
	// Bin is a folder for the functions' bootstraps. Bootstraps that exist there are
	// not built again. Default: a folder of the run.
	Bin string
	// Dir is the parent of the run's folder. Default: the folder for temporary
	// files.
	Dir string
	// Log receives a line for each thing that happens. Nil discards them.
	Log io.Writer
	// Hurry shortens a scenario from minutes to seconds. Then the figures mean
	// nothing.
	Hurry bool
}

// suite is one run or scenario.
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
	mappings  []*cloud.Mapping
	// caFile is the path of the CA that signed the certificate of Redis; empty without
	// TLS.
	caFile     string
	partitions *partitions
	ledger     *ledger
	load       *load
	traps      *traps
	claims     *claimTable
	pushes     *pushTable
	problems   *problems
	// delivered, if set, is called with the records that a bridge has delivered.
	delivered func(batch []events.KinesisEventRecord, at time.Time)

	kills, faults, missed counter
	// refusedCommands reports whether the ACL has refused a command.
	refusedCommands atomic.Bool
}

// inLab starts all parts, calls do and stops the parts. If verdict, which is called
// after do, returns an error, the run's folder stays.
func inLab(ctx context.Context, l Lab, set settings, do func(*suite) error, verdict func() error) error {
	dir, err := os.MkdirTemp(l.Dir, "chaos-")
	if err != nil {
		return fmt.Errorf("creating a folder: %w", err)
	}
	s := &suite{lab: l, settings: set, dir: dir, log: newLogger(l.Log), problems: &problems{}}
	if err = s.start(ctx); err == nil {
		err = do(s)
	}
	s.stop()
	if err != nil || verdict() == nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	s.log.printf("the folder of the run: %s", dir)
	return nil
}

// start starts all parts, the functions last.
func (s *suite) start(ctx context.Context) error {
	s.traps = newTraps()
	s.claims = newClaimTable(s.problems, s.settings.leasing.lease)
	s.pushes = newPushTable()
	s.ledger, s.partitions = &ledger{seed: s.lab.Seed}, newPartitions()
	var err error
	if s.redis, err = startRedis(ctx, filepath.Join(s.dir, "redis"), s.settings); err != nil {
		return err
	}
	if s.aws, err = startAWS(filepath.Join(s.dir, "s3"), s.lab.Seed, s.traps); err != nil {
		return err
	}
	if s.links, err = startLinks(s.redis.addrs(), s.aws.Addr); err != nil {
		return err
	}
	if err := s.shareLinks(); err != nil {
		return err
	}
	if s.functions, err = s.startFunctions(ctx); err != nil {
		return err
	}
	if err := s.openMappings(); err != nil {
		return err
	}
	s.load = &load{
		ingest: s.functions.ingest, senders: s.settings.ingest, queue: s.redis.queue, ledger: s.ledger, partitions: s.partitions,
		keys: s.settings.keys, rate: leastRate,
	}
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
		s.aws.Close()
	}
	if s.redis != nil {
		s.redis.close()
	}
}

// pullTriggers invokes the drainer and the bridge until end is called. end may be
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

// shareLinks starts the relays to Redis of the processes that are not watched.
func (s *suite) shareLinks() error {
	var certificate *tls.Certificate
	if s.settings.tls {
		cert, key, ca, err := redistest.Certificate(s.dir, "localhost")
		if err != nil {
			return err
		}
		loaded, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return fmt.Errorf("loading the certificate of Redis: %w", err)
		}
		certificate, s.caFile = &loaded, ca
	}
	if !s.settings.watchesIngest() {
		if err := s.links.ingestRedis.share(certificate); err != nil {
			return err
		}
	}
	if s.settings.unjudged {
		return s.links.drainerRedis.share(nil)
	}
	return nil
}
