package chaos

import (
	"context"
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

	redis string // "killed" or "frozen"
	end   func(*redistest.Server)
	back  func(*redistest.Server) error
}

const (
	// warmProcesses is the number of processes of ingest that exist when the load
	// begins: a few more than the load needs.
	warmProcesses = 4
	// maxDrainTime is the longest time that the backlog may take to drain.
	maxDrainTime = time.Minute
)

// Outage kills Redis for a minute under a load of 200 requests a second, and then
// freezes it, with the settings of the stack. Every request must be accepted, no record
// may be lost, and the backlog must drain within a minute.
func Outage(ctx context.Context, l Lab) (Report, error) {
	o := outage{rate: 200, before: 20 * time.Second, down: time.Minute, after: 20 * time.Second}
	set := deployed()
	if l.Hurry {
		o = outage{rate: 40, before: 2 * time.Second, down: 3 * time.Second, after: 2 * time.Second}
		set.leasing.lease, set.schedule = lease, sweepInterval
	}
	killed, frozen := o, o
	killed.redis, killed.end, killed.back = "killed", (*redistest.Server).Kill, (*redistest.Server).Restart
	frozen.redis, frozen.end = "frozen", (*redistest.Server).Freeze
	frozen.back = func(r *redistest.Server) error {
		r.Thaw()
		return nil
	}
	var report Report
	for _, o := range []outage{killed, frozen} {
		err := inLab(ctx, l, set, func(s *suite) error { return s.outage(ctx, o, &report) }, func() error { return report.Err() })
		if err != nil {
			return report, err
		}
	}
	return report, nil
}

func (s *suite) outage(ctx context.Context, o outage, report *Report) error {
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
	endTriggers := s.pullTriggers(ctx)
	defer endTriggers()
	s.warm(warmProcesses, authorization)
	var begun, returned time.Time
	var backlog int64
	var err error
	posts := s.whileSending(ctx, o.rate, 1, func(int) string { return authorization }, func(ctx context.Context) {
		backoff.Sleep(ctx, o.before/2)
		// Kinesis throttles every record, so that Redis holds a backlog during the
		// outage.
		_, endTrouble := s.aws.makeTrouble(cloud.ServiceKinesis, "", 1, cloud.Fault{Throttle: 1})
		defer endTrouble()
		backoff.Sleep(ctx, o.before/2)
		o.end(s.redis.nodes[0].Server)
		begun = time.Now()
		s.log.printf("Redis is %s", o.redis)
		backoff.Sleep(ctx, o.down)
		returned = time.Now()
		if err = o.back(s.redis.nodes[0].Server); err != nil {
			return
		}
		// A server that was frozen first accepts the connections that waited for it.
		within(ctx, maxDrainTime, func() bool {
			backlog, err = s.queued(ctx)
			return err == nil
		})
		endTrouble()
		s.log.printf("Redis is back with a backlog of %d records", backlog)
		backoff.Sleep(ctx, o.after)
	})
	if err != nil {
		return err
	}
	v, err := s.settle(ctx, endTriggers)
	if err != nil {
		return err
	}
	fallbacks, err := s.fallbackIDs()
	if err != nil {
		return err
	}
	var usual, fallback, during []time.Duration
	var again, drained time.Duration // from the end of the outage
	for _, p := range posts {
		if fallbacks[p.id] {
			fallback = append(fallback, p.took)
			again = max(again, p.due.Sub(returned))
		}
		switch {
		case p.due.Add(p.took).Before(begun):
			usual = append(usual, p.took)
		case p.due.After(begun) && p.due.Before(returned):
			during = append(during, p.took)
		}
		if at, ok := delivered[p.n]; ok && p.due.Before(returned) {
			drained = max(drained, at.Sub(returned))
		}
	}
	accepted := count(posts, http.StatusAccepted)
	report.printf("outage: redis=%s down=%.0fs requests=%d accepted=%d lost=%d duplicates=%d usual: %v fallback: n=%d %v during: %v processes=%d queue again=%.1fs backlog=%d drained=%.1fs",
		o.redis, o.down.Seconds(), len(posts), accepted, v.Lost, v.Duplicates, newLatency(usual), len(fallback), newLatency(fallback), newLatency(during),
		s.functions.ingest.Started(), again.Seconds(), backlog, drained.Seconds())
	report.want(len(posts) > 0 && accepted == len(posts) && v.Archived >= accepted,
		"redis %s: %d of %d requests were accepted, and %d records are archived", o.redis, accepted, len(posts), v.Archived)
	report.want(len(usual) > 0 && len(fallback) > 0 && backlog > 0,
		"redis %s: %d usual requests, %d fallback records and a backlog of %d records: there was no outage", o.redis, len(usual), len(fallback), backlog)
	report.want(s.lab.Hurry || drained <= maxDrainTime, "redis %s: the backlog took %v to drain", o.redis, drained)
	report.wantVerdict(v)
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
