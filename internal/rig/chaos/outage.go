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

	"github.com/aws/aws-lambda-go/events"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/backoff"
	"github.com/data-sink/data-sink/internal/rig/redistest"
)

// outage is the course of an outage: Redis is up for before, down for down, and up
// again for after, under a load of rate requests a second.
type outage struct {
	rate                int
	before, down, after time.Duration
}

// warmProcesses is the number of processes of ingest that exist when the load
// begins: a few more than the load needs.
const warmProcesses = 4

// maxDrainTime is the longest time that the backlog may take to drain.
const maxDrainTime = time.Minute

// OutageReport has the figures of each kind of outage.
type OutageReport []OutageFigures

// OutageFigures are the results of one kind of outage.
type OutageFigures struct {
	// Redis is "killed" or "frozen".
	Redis string
	Down  time.Duration
	// Requests is the number of requests. Accepted is the number of those answered
	// with 202.
	Requests, Accepted int
	// Usual is the latency of requests before the outage, Fallback that of requests
	// whose records ingest wrote to the archive, and During that of all requests
	// during the outage.
	Usual, Fallback, During Latency
	// Processes is the number of processes of ingest that were started.
	Processes int
	// Backlog is the number of records in Redis at the end of the outage. Drained is
	// the time from then until everything that was accepted before had reached
	// Firehose.
	Backlog int64
	Drained time.Duration
	// Again is the time from the end of the outage to the last fallback record.
	Again time.Duration
	// Verdict is the verdict on the archive.
	Verdict Verdict
}

// String returns one line for each kind of outage.
func (r OutageReport) String() string {
	var lines []string
	for _, f := range r {
		lines = append(lines, fmt.Sprintf("outage: redis=%s down=%.0fs requests=%d accepted=%d lost=%d duplicates=%d usual: %v fallback: n=%d %v during: %v processes=%d queue again=%.1fs backlog=%d drained=%.1fs",
			f.Redis, f.Down.Seconds(), f.Requests, f.Accepted, f.Verdict.Lost, f.Verdict.Duplicates, f.Usual, f.Fallback.Count, f.Fallback, f.During,
			f.Processes, f.Again.Seconds(), f.Backlog, f.Drained.Seconds()))
	}
	return strings.Join(lines, "\n")
}

// Err returns the broken promises; nil if there are none.
func (r OutageReport) Err() error {
	var list []error
	for _, f := range r {
		if err := f.Outcome(); err != nil {
			list = append(list, err)
		}
		if f.Drained > maxDrainTime {
			list = append(list, fmt.Errorf("redis %s: the backlog took %v to drain", f.Redis, f.Drained))
		}
	}
	return errors.Join(list...)
}

// Outcome is Err without the bounds that a slow machine may exceed.
func (f OutageFigures) Outcome() error {
	switch {
	case f.Accepted < f.Requests:
		return fmt.Errorf("redis %s: %d of %d requests were not accepted", f.Redis, f.Requests-f.Accepted, f.Requests)
	case f.Fallback.Count == 0 || f.Backlog == 0:
		return fmt.Errorf("redis %s: %d fallback records and a backlog of %d records: there was no outage", f.Redis, f.Fallback.Count, f.Backlog)
	}
	return f.Verdict.Err()
}

// Outage kills Redis for a minute under a load of 200 requests a second, and then
// freezes it, with the settings of the stack.
func Outage(ctx context.Context, l Lab) (OutageReport, error) {
	o := outage{rate: 200, before: 20 * time.Second, down: time.Minute, after: 20 * time.Second}
	set := deployed()
	if l.Hurry {
		o = outage{rate: 40, before: 2 * time.Second, down: 3 * time.Second, after: 2 * time.Second}
		set.leasing.lease, set.schedule = lease, sweepInterval
	}
	var report OutageReport
	for _, way := range []struct {
		name string
		down func(*redistest.Server)
		back func(*redistest.Server) error
	}{
		{"killed", (*redistest.Server).Kill, (*redistest.Server).Restart},
		{"frozen", (*redistest.Server).Freeze, func(r *redistest.Server) error { r.Thaw(); return nil }},
	} {
		f := OutageFigures{Redis: way.name, Down: o.down}
		err := inLab(ctx, l, set, func(s *suite) error {
			return s.outage(ctx, o, &f, way.down, way.back)
		}, func() error { return f.Outcome() })
		if err != nil {
			return nil, err
		}
		report = append(report, f)
	}
	return report, nil
}

func (s *suite) outage(ctx context.Context, o outage, f *OutageFigures, down func(*redistest.Server), back func(*redistest.Server) error) error {
	endTriggers := s.pullTriggers(ctx)
	defer endTriggers()
	var mu sync.Mutex
	delivered := make(map[int]time.Time) // the time of the last copy of each record
	s.delivered = func(batch []events.KinesisEventRecord, at time.Time) {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range batch {
			if n, _, ok := parseHeader(r.Kinesis.Data); ok {
				delivered[n] = at
			}
		}
	}

	s.warm(warmProcesses, authorization)
	loadCtx, endLoad := context.WithCancel(ctx)
	defer endLoad()
	posts := make(chan []post, 1)
	go func() {
		posts <- s.steady(loadCtx, o.rate, 1, func(int) (record, string) { return s.ledger.nextHealthy(), authorization })
	}()
	backoff.Sleep(ctx, o.before/2)
	// Kinesis throttles every record, so that Redis holds a backlog during the outage.
	_, endTrouble := s.aws.makeTrouble(cloud.ServiceKinesis, 1, cloud.Fault{Throttle: 1})
	backoff.Sleep(ctx, o.before/2)
	down(s.redis.nodes[0].Server)
	gone := time.Now()
	s.log.printf("Redis is %s", f.Redis)
	backoff.Sleep(ctx, o.down)
	returned := time.Now()
	if err := back(s.redis.nodes[0].Server); err != nil {
		return err
	}
	var err error
	// A server that was frozen first accepts the connections that waited for it.
	for f.Backlog, err = s.queued(ctx); err != nil && time.Since(returned) < maxDrainTime; f.Backlog, err = s.queued(ctx) {
		backoff.Sleep(ctx, 100*time.Millisecond)
	}
	if err != nil {
		return err
	}
	endTrouble()
	s.log.printf("Redis is back with a backlog of %d records", f.Backlog)
	backoff.Sleep(ctx, o.after)
	endLoad()
	all := <-posts
	if err := s.drain(ctx); err != nil {
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
	var usual, fallback, during []time.Duration
	for _, p := range all {
		f.Requests++
		if p.status == http.StatusAccepted {
			f.Accepted++
		}
		if fallbacks[p.id] {
			fallback = append(fallback, p.took)
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
	f.Usual, f.Fallback, f.During, f.Processes = newLatency(usual), newLatency(fallback), newLatency(during), s.functions.ingest.Started()
	return nil
}

// fallbackIDs returns the ids of the fallback records.
func (s *suite) fallbackIDs() (map[string]bool, error) {
	keys, err := s.aws.archive.Keys("")
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
