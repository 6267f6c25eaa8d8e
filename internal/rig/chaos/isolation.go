package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// noise is how much the 99th percentile of a phase may exceed that of the phase that
// it is compared with, on a shared machine.
const noise = 250 * time.Millisecond

// Isolation measures what the troubles of one stream, the victim, do to the time from
// receipt to tap of the records of other streams: they may not delay them by more than
// noise. It runs no bridge, because the measured path ends at the tap.
func Isolation(ctx context.Context, l Lab) (Report, error) {
	var report Report
	set := deployed()
	set.unjudged = true
	if l.Hurry {
		set.schedule = sweepInterval // Then the sweeps hide how wake-ups work.
	}
	err := inLab(ctx, l, set, func(s *suite) error {
		victim := streamList[0]
		i := &isolation{
			suite: s, report: &report, rate: 40, lasts: time.Minute, records: 300_000,
			victim: victim, resource: stream.ResourceName(deployment, victim.Name),
		}
		if l.Hurry {
			i.rate, i.lasts, i.records = 20, 3*time.Second, 9_000
		}
		s.warm(warmProcesses, authorization)
		defer s.pull(ctx, s.deliverWakeUps, s.schedule)()
		return i.run(ctx)
	}, func() error { return report.Err() })
	return report, err
}

type isolation struct {
	*suite
	report *Report
	// rate is the number of requests a second for the healthy streams together, and
	// for the victim in the phases throttled and poisoned.
	rate  int
	lasts time.Duration // of each phase
	// records is the number of records of the flood. Two thirds of them are queued
	// before the flood begins to drain.
	records  int
	victim   stream.Stream
	resource string // of the victim, in Kinesis
}

// victimLoad is the number of records that the victim got in a phase, and the largest
// number of them that waited.
type victimLoad struct{ records, depth int }

func (i *isolation) run(ctx context.Context) error {
	p99 := make(map[string]time.Duration)
	for _, phase := range []struct {
		name, like string // the phase that its latency is compared with
		do         func(context.Context) (victimLoad, error)
		least      victimLoad
	}{
		{"alone", "", i.nothing, victimLoad{}},
		// Other processes use all CPU, as a flood does.
		{"busy", "", i.spin, victimLoad{}},
		{"throttled", "alone", i.throttle, victimLoad{records: 1, depth: 1}},
		{"poisoned", "alone", i.poison, victimLoad{records: 1}},
		{"flooded", "busy", i.flood, victimLoad{records: 1, depth: i.records / 3}},
	} {
		i.log.printf("%s", phase.name)
		tap, load, err := i.phase(ctx, phase.name, phase.do)
		if err != nil {
			return err
		}
		p99[phase.name] = tap.p99
		i.report.want(load.records >= phase.least.records && load.depth >= phase.least.depth, "%s: the victim got %d records, of which %d waited", phase.name, load.records, load.depth)
		if phase.like != "" && !i.lab.Hurry {
			most := max(p99[phase.like], p99["alone"]) + noise
			i.report.want(tap.p99 <= most, "beside a stream that is %s, 99 %% of the records took %v, want at most %v", phase.name, tap.p99, most)
		}
	}
	return nil
}

// healthy issues a record of a stream other than the victim that fits on the tap.
func (i *isolation) healthy() record {
	for {
		if r := i.ledger.nextHealthy(); r.stream.Name != i.victim.Name && i.fits(r) {
			return r
		}
	}
}

func (i *isolation) fits(r record) bool {
	return r.stream.Format.FramedLen(r.body) <= stream.MaxFramedBytes
}

// phase posts records of the healthy streams while do acts on the victim, and waits
// until they are on the tap.
func (i *isolation) phase(ctx context.Context, name string, do func(context.Context) (victimLoad, error)) (tap latency, load victimLoad, err error) {
	during, cancel := context.WithTimeout(ctx, i.lasts)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		var err error
		load, err = do(during)
		done <- err
	}()
	posts := i.steady(during, i.rate, 1, func(int) (record, string) { return i.healthy(), authorization })
	if err := errors.Join(<-done, ctx.Err()); err != nil {
		return tap, load, err
	}
	if !within(ctx, 3*time.Minute, func() bool { return i.isEmpty(ctx) }) {
		return tap, load, fmt.Errorf("%s: the queues did not drain", name)
	}
	fallbacks, err := i.fallbackIDs()
	if err != nil {
		return tap, load, err
	}
	arrived, err := i.arrived(ctx)
	if err != nil {
		return tap, load, err
	}
	var took []time.Duration
	direct := 0 // records that miss the tap
	for _, post := range posts {
		id, err := uuid.Parse(post.id)
		at, onTap := arrived[post.n]
		switch {
		case err != nil:
		case fallbacks[post.id]:
			direct++
		case onTap:
			// The id contains the time of receipt.
			took = append(took, at.Sub(time.Unix(id.Time().UnixTime())))
		}
	}
	accepted := count(posts, http.StatusAccepted)
	i.report.want(len(posts) > 0 && accepted == len(posts) && len(took)+direct == accepted,
		"%s: of %d records %d were accepted, %d reached the tap and %d are direct records", name, len(posts), accepted, len(took), direct)
	tap = newLatency(took)
	i.report.printf("isolation: %s: n=%d direct=%d %v others=%d depth=%d", name, len(took), direct, tap, load.records, load.depth)
	return tap, load, nil
}

// arrived returns when each record of the healthy streams arrived in Kinesis first.
func (i *isolation) arrived(ctx context.Context) (map[int]time.Time, error) {
	at := make(map[int]time.Time)
	for _, one := range streamList {
		if one.Name == i.victim.Name || !one.FeedsTap() {
			continue
		}
		records, err := i.aws.Records(ctx, stream.ResourceName(deployment, one.Name))
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			n, _, ok := parseHeader(r.Data)
			if first, known := at[n]; ok && (!known || r.ArrivedAt.Before(first)) {
				at[n] = r.ArrivedAt
			}
		}
	}
	return at, nil
}
