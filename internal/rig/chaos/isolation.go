package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/uuid"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/pipeline/wake"
)

// IsolationOptions say how long each phase is. The zero values are a minute, 40
// requests a second for the healthy streams, and a flood of 300,000 records.
type IsolationOptions struct {
	Lab
	// Rate is how many requests a second the healthy streams get together, and the
	// other one where its records come by requests.
	Rate int
	// Phase is how long each phase is.
	Phase time.Duration
	// Flood is how many records the flood has. Two thirds of them wait when it
	// begins to drain.
	Flood int
	// Hurry has the drainers sweep several times a second, which hides how a stream
	// gets its wake-ups.
	Hurry bool
}

// IsolationReport is how long the records of healthy streams took from their
// receipt until Kinesis had them, phase by phase.
type IsolationReport []IsolationPhase

// IsolationPhase is one phase.
type IsolationPhase struct {
	// Name is alone, throttled, poisoned, flooded or busy: in the last one the
	// other stream gets nothing, and processes that do nothing useful take as much
	// CPU as there is.
	Name string
	// Sent is how many records of healthy streams were sent, Accepted how many of
	// them were answered with 202, and Around how many ingest wrote to the archive
	// because Redis did not take them in time: those miss the tap.
	Sent, Accepted, Around int
	// Tap is the time from receipt to tap of the others.
	Tap Latency
	// Others is how many records the other stream got, and Depth how many of them
	// waited at most.
	Others int
	Depth  int64
}

// String is one line.
func (r IsolationReport) String() string {
	var b strings.Builder
	b.WriteString("isolation:")
	for _, p := range r {
		fmt.Fprintf(&b, " %s: n=%d around=%d %v", p.Name, p.Tap.Count, p.Around, p.Tap)
		if p.Others > 0 {
			fmt.Fprintf(&b, " others=%d depth=%d", p.Others, p.Depth)
		}
	}
	return b.String()
}

// Of is a phase by its name.
func (r IsolationReport) Of(name string) IsolationPhase {
	for _, p := range r {
		if p.Name == name {
			return p
		}
	}
	return IsolationPhase{}
}

// noise is by how much the 99th percentile of a phase may be over that of the
// phase that it is compared with, and be called the same on a shared machine.
const noise = 250 * time.Millisecond

// Err says which promise is broken; nil when none is.
func (r IsolationReport) Err() error {
	list := []error{r.Outcome()}
	for name, like := range map[string]string{"throttled": "alone", "poisoned": "alone", "flooded": "busy"} {
		if got, want := r.Of(name).Tap.P99, max(r.Of(like).Tap.P99, r.Of("alone").Tap.P99); got > want+noise {
			list = append(list, fmt.Errorf("beside a stream that is %s 99 %% of the records took %v, and %v %s", name, got, want, like))
		}
	}
	return errors.Join(list...)
}

// Outcome is Err without what a slow machine may break.
func (r IsolationReport) Outcome() error {
	var list []error
	for _, p := range r {
		if p.Sent == 0 || p.Accepted < p.Sent || p.Tap.Count+p.Around < p.Accepted {
			list = append(list, fmt.Errorf("%s: of %d records %d were accepted, %d came to the tap and %d went around it", p.Name, p.Sent, p.Accepted, p.Tap.Count, p.Around))
		}
	}
	return errors.Join(list...)
}

// Isolation measures what one stream's troubles do to the others. There is no
// bridge in it: the way that is measured ends before that.
func Isolation(ctx context.Context, o IsolationOptions) (IsolationReport, error) {
	if o.Rate == 0 {
		o.Rate, o.Phase, o.Flood = 40, time.Minute, 300_000
	}
	var report IsolationReport
	set := deployed()
	set.inMemory = true
	if o.Hurry {
		set.schedule = sweepInterval
	}
	err := inLab(ctx, o.Lab, set, func(s *suite) error {
		victim := streamList[0]
		i := &isolation{suite: s, options: o, victim: victim, resource: stream.ResourceName(deployment, victim.Name), waker: s.newWaker()}
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
	options  IsolationOptions
	victim   stream.Stream
	resource string // of victim, in Kinesis
	waker    *wake.Waker
}

// wakeInterval is the stack's.
const wakeInterval = time.Second

// newWaker sends wake-ups as ingest does.
func (s *suite) newWaker() *wake.Waker {
	endpoint := "http://" + s.aws.server.Addr
	return wake.New(sqs.New(sqs.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("SUITE", "secret", ""),
	}), endpoint+wakePath)
}

// healthy is the next record of a stream that is not the victim, small enough for
// the tap.
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

// phase posts records of the healthy streams while something is done to the
// victim, and waits until they are on the tap.
func (i *isolation) phase(ctx context.Context, name string, do func(context.Context, *IsolationPhase) error) (IsolationPhase, error) {
	p := IsolationPhase{Name: name}
	during, cancel := context.WithTimeout(ctx, i.options.Phase)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- do(during, &p) }()
	posts := i.steady(during, i.options.Rate, 1, func(int) (record, string) { return i.healthy(), authorization })
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
	arrived := i.arrived()
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
			p.Around++
		case onTap:
			// The id is made when the record is stamped, and has that time in it.
			took = append(took, at.Sub(time.Unix(id.Time().UnixTime())))
		}
	}
	p.Tap = newLatency(took)
	return p, nil
}

// arrived empties Kinesis, and says when each of the suite's records came first.
func (i *isolation) arrived() map[int]time.Time {
	at := make(map[int]time.Time)
	for _, shard := range i.aws.shards() {
		next, _ := shard.Next()
		for _, r := range shard.Read(0, int(next), 1<<40) {
			n, _, ok := parseHeader(r.Data)
			if _, known := at[n]; ok && !known {
				at[n] = r.ArrivedAt
			}
		}
		i.aws.passed(shard, next)
	}
	return at
}
