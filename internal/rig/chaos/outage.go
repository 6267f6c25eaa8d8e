package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/rig/awstest"
)

// OutageOptions say how long Redis is away. The zero values are a minute under a
// load of 200 requests a second, with the settings of the stack.
type OutageOptions struct {
	Lab
	// Rate is how many requests a second come.
	Rate int
	// Before and After are how long Redis is there, and Down how long it is not.
	// Kinesis takes nothing in the second half of Before and until Redis is back,
	// so that a backlog waits in it.
	Before, Down, After time.Duration
	// Hurry has the drainers sweep and lose their leases within seconds.
	Hurry bool
}

// warmProcesses is how many processes of ingest there are when the load begins:
// a few more than it keeps busy.
const warmProcesses = 4

// bearableBacklog is how long the backlog may take to drain.
const bearableBacklog = time.Minute

// OutageReport is what became of the requests.
type OutageReport []OutageFigures

// OutageFigures are those of one way in which Redis is away.
type OutageFigures struct {
	// Redis is killed or frozen.
	Redis string
	Down  time.Duration
	// Requests is how many were sent, and Accepted how many were answered with 202.
	Requests, Accepted int
	// Usual is the latency of the requests until then, Fallback that of those whose
	// records ingest wrote to the archive, and During that of all which came while
	// Redis was away.
	Usual, Fallback, During Latency
	// Processes is how many of ingest were started.
	Processes int
	// Backlog is how many records waited in Redis when it was back, and Drained
	// how long after that all that was accepted until then had reached Firehose.
	Backlog int64
	Drained time.Duration
	// Again is how long after Redis was back a record still went around it.
	Again time.Duration
	// Verdict is that of the archive.
	Verdict Verdict
}

// String is a line for each way.
func (r OutageReport) String() string {
	var lines []string
	for _, f := range r {
		lines = append(lines, fmt.Sprintf("outage: redis=%s down=%.0fs requests=%d accepted=%d lost=%d duplicates=%d usual: %v fallback: n=%d %v during: %v processes=%d queue again=%.1fs backlog=%d drained=%.1fs",
			f.Redis, f.Down.Seconds(), f.Requests, f.Accepted, f.Verdict.Lost, f.Verdict.Duplicates, f.Usual, f.Fallback.Count, f.Fallback, f.During,
			f.Processes, f.Again.Seconds(), f.Backlog, f.Drained.Seconds()))
	}
	return strings.Join(lines, "\n")
}

// Err says which promise is broken; nil when none is.
func (r OutageReport) Err() error {
	var list []error
	for _, f := range r {
		if err := f.Outcome(); err != nil {
			list = append(list, err)
		}
		if f.Drained > bearableBacklog {
			list = append(list, fmt.Errorf("redis %s: the backlog took %v to drain", f.Redis, f.Drained))
		}
	}
	return errors.Join(list...)
}

// Outcome is Err without what a slow machine may break.
func (f OutageFigures) Outcome() error {
	switch {
	case f.Accepted < f.Requests:
		return fmt.Errorf("redis %s: %d of %d requests were not accepted", f.Redis, f.Requests-f.Accepted, f.Requests)
	case f.Fallback.Count == 0 || f.Backlog == 0:
		return fmt.Errorf("redis %s: %d records went around it, and %d waited in it: there was no outage", f.Redis, f.Fallback.Count, f.Backlog)
	}
	return f.Verdict.Err()
}

// Outage kills Redis under a steady load, and then freezes it.
func Outage(ctx context.Context, o OutageOptions) (OutageReport, error) {
	if o.Rate == 0 {
		o.Rate, o.Before, o.Down, o.After = 200, 20*time.Second, time.Minute, 20*time.Second
	}
	set := deployed()
	if o.Hurry {
		set.leasing.lease, set.schedule = lease, sweepInterval
	}
	var report OutageReport
	for _, way := range []struct {
		name       string
		down, back func(*redisServer) error
	}{
		{
			"killed", func(r *redisServer) error { r.nodes[0].Kill(); return nil },
			func(r *redisServer) error { return r.nodes[0].Restart() },
		},
		{
			"frozen", func(r *redisServer) error { r.nodes[0].Freeze(); return nil },
			func(r *redisServer) error { r.nodes[0].Thaw(); return nil },
		},
	} {
		f := OutageFigures{Redis: way.name, Down: o.Down}
		err := inLab(ctx, o.Lab, set, func(s *suite) error {
			return s.outage(ctx, o, &f, way.down, way.back)
		}, func() error { return f.Outcome() })
		if err != nil {
			return nil, err
		}
		report = append(report, f)
	}
	return report, nil
}

func (s *suite) outage(ctx context.Context, o OutageOptions, f *OutageFigures, down, back func(*redisServer) error) error {
	endTriggers := s.pullTriggers(ctx)
	defer endTriggers()
	var mu sync.Mutex
	delivered := make(map[int]time.Time) // the last copy of each record
	s.delivered = func(batch []awstest.Record, at time.Time) {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range batch {
			if n, _, ok := parseHeader(r.Data); ok {
				delivered[n] = at
			}
		}
	}

	s.warm(warmProcesses, authorization)
	loadCtx, endLoad := context.WithCancel(ctx)
	defer endLoad()
	posts := make(chan []post, 1)
	go func() {
		posts <- s.steady(loadCtx, o.Rate, 1, func(int) (record, string) { return s.ledger.nextHealthy(), authorization })
	}()
	sleep(ctx, o.Before/2)
	_, endTrouble := s.aws.makeTrouble(awstest.ServiceKinesis, 1, awstest.Fault{Throttle: 1})
	sleep(ctx, o.Before/2)
	if err := down(s.redis); err != nil {
		return err
	}
	gone := time.Now()
	s.log.printf("Redis is %s", f.Redis)
	sleep(ctx, o.Down)
	returned := time.Now()
	if err := back(s.redis); err != nil {
		return err
	}
	var err error
	if f.Backlog, err = s.queued(ctx); err != nil {
		return err
	}
	endTrouble()
	s.log.printf("Redis is back, with %d records", f.Backlog)
	sleep(ctx, o.After)
	endLoad()
	all := <-posts
	if err := s.drainToTheEnd(ctx); err != nil {
		return err
	}
	endTriggers()
	if f.Verdict, err = s.verdict(); err != nil {
		return err
	}
	fallbacks, err := s.fallbackIDs()
	if err != nil {
		return err
	}
	var usual, around, during []time.Duration
	for _, p := range all {
		f.Requests++
		if p.status == http.StatusAccepted {
			f.Accepted++
		}
		if fallbacks[p.id] {
			around = append(around, p.took)
			f.Again = max(f.Again, p.due.Sub(returned))
		}
		switch {
		case p.due.Add(p.took).Before(gone):
			usual = append(usual, p.took)
		case p.due.After(gone) && p.due.Before(returned):
			during = append(during, p.took)
		}
		if at, ok := delivered[p.n]; ok && p.due.Before(returned) {
			f.Drained = max(f.Drained, at.Sub(returned))
		}
	}
	f.Usual, f.Fallback, f.During, f.Processes = newLatency(usual), newLatency(around), newLatency(during), s.functions.ingest.Started()
	return nil
}

// fallbackIDs are the ids of the records that ingest wrote to the archive because
// Redis did not take them.
func (s *suite) fallbackIDs() (map[string]bool, error) {
	keys, err := s.aws.server.S3.Keys(bucket, "")
	if err != nil {
		return nil, err
	}
	ids := make(map[string]bool)
	for _, key := range keys {
		if isFallback(key) {
			id, _, _ := strings.Cut(strings.TrimPrefix(path.Base(key), string(archive.Fallback)+"-"), ".")
			ids[id] = true
		}
	}
	return ids, nil
}
