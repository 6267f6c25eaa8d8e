package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// IsolationReport has the time from receipt to tap of the records of healthy
// streams, phase by phase.
type IsolationReport []IsolationPhase

// IsolationPhase is the result of one phase.
type IsolationPhase struct {
	// Name is "alone", "throttled", "poisoned", "flooded" or "busy". In the phase
	// busy the victim gets no records, and other processes use all CPU.
	Name string
	// Sent is the number of records that were sent to healthy streams. Accepted is
	// the number of those answered with 202. Direct is the number of direct records,
	// which miss the tap.
	Sent, Accepted, Direct int
	// Tap is the time from receipt to tap of all other records.
	Tap Latency
	// Others is the number of records that the victim got, and Depth the largest
	// number of them that waited.
	Others int
	Depth  int64
}

// String returns the report as one line.
func (r IsolationReport) String() string {
	var b strings.Builder
	b.WriteString("isolation:")
	for _, p := range r {
		fmt.Fprintf(&b, " %s: n=%d direct=%d %v", p.Name, p.Tap.Count, p.Direct, p.Tap)
		if p.Others > 0 {
			fmt.Fprintf(&b, " others=%d depth=%d", p.Others, p.Depth)
		}
	}
	return b.String()
}

// Of returns the phase with a name.
func (r IsolationReport) Of(name string) IsolationPhase {
	for _, p := range r {
		if p.Name == name {
			return p
		}
	}
	return IsolationPhase{}
}

// noise is how much the 99th percentile of a phase may exceed that of the phase that
// it is compared with, on a shared machine.
const noise = 250 * time.Millisecond

// Err returns the broken promises; nil if there are none.
func (r IsolationReport) Err() error {
	list := []error{r.Outcome()}
	for name, like := range map[string]string{"throttled": "alone", "poisoned": "alone", "flooded": "busy"} {
		if got, want := r.Of(name).Tap.P99, max(r.Of(like).Tap.P99, r.Of("alone").Tap.P99); got > want+noise {
			list = append(list, fmt.Errorf("beside a stream that is %s, 99 %% of the records took %v; %v when %s", name, got, want, like))
		}
	}
	return errors.Join(list...)
}

// Outcome is Err without the bounds that a slow machine may exceed.
func (r IsolationReport) Outcome() error {
	var list []error
	for _, p := range r {
		if p.Sent == 0 || p.Accepted < p.Sent || p.Tap.Count+p.Direct < p.Accepted {
			list = append(list, fmt.Errorf("%s: of %d records %d were accepted, %d reached the tap and %d are direct records", p.Name, p.Sent, p.Accepted, p.Tap.Count, p.Direct))
		}
	}
	return errors.Join(list...)
}

// Isolation measures what the troubles of one stream, the victim, do to the other
// streams. It runs no bridge, because the measured path ends at the tap.
func Isolation(ctx context.Context, l Lab) (IsolationReport, error) {
	var report IsolationReport
	set := deployed()
	set.inMemory, set.unwatched = true, true
	if l.Hurry {
		set.schedule = sweepInterval // Then the sweeps hide how wake-ups work.
	}
	err := inLab(ctx, l, set, func(s *suite) error {
		victim := streamList[0]
		i := &isolation{
			suite: s, rate: 40, lasts: time.Minute, records: 300_000,
			victim: victim, resource: stream.ResourceName(deployment, victim.Name),
		}
		if l.Hurry {
			i.rate, i.lasts, i.records = 20, 3*time.Second, 9_000
		}
		s.warm(warmProcesses, authorization)
		defer s.pull(ctx, s.deliverWakeUps, s.schedule)()
		for _, phase := range []struct {
			name string
			do   func(context.Context, *IsolationPhase) error
		}{
			{"alone", i.nothing}, {"throttled", i.throttle}, {"poisoned", i.poison}, {"flooded", i.flood}, {"busy", i.spin},
		} {
			s.log.printf("%s", phase.name)
			p, err := i.phase(ctx, phase.name, phase.do)
			if err != nil {
				return err
			}
			s.log.printf("%v", IsolationReport{p})
			report = append(report, p)
		}
		return nil
	}, func() error { return report.Outcome() })
	return report, err
}

type isolation struct {
	*suite
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
func (i *isolation) phase(ctx context.Context, name string, do func(context.Context, *IsolationPhase) error) (IsolationPhase, error) {
	p := IsolationPhase{Name: name}
	during, cancel := context.WithTimeout(ctx, i.lasts)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- do(during, &p) }()
	posts := i.steady(during, i.rate, 1, func(int) (record, string) { return i.healthy(), authorization })
	if err := errors.Join(<-done, ctx.Err()); err != nil {
		return p, err
	}
	if !within(ctx, 3*time.Minute, func() bool { return i.isEmpty(ctx) }) {
		return p, fmt.Errorf("%s: the queues did not drain", name)
	}
	fallbacks, err := i.fallbackIDs()
	if err != nil {
		return p, err
	}
	arrived, err := i.arrived(ctx)
	if err != nil {
		return p, err
	}
	var took []time.Duration
	for _, post := range posts {
		p.Sent++
		if post.status == http.StatusAccepted {
			p.Accepted++
		}
		id, err := uuid.Parse(post.id)
		at, onTap := arrived[post.n]
		switch {
		case err != nil:
		case fallbacks[post.id]:
			p.Direct++
		case onTap:
			// The id contains the time of receipt.
			took = append(took, at.Sub(time.Unix(id.Time().UnixTime())))
		}
	}
	p.Tap = newLatency(took)
	return p, nil
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
