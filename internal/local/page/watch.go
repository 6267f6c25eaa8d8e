package page

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/bridge"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/ingest"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// watchKinesis counts the records that the tap accepts, and throttles them.
func (p *Page) watchKinesis(s sink.Service) sink.Service { return &watchedKinesis{s, p} }

type watchedKinesis struct {
	sink.Service
	page *Page
}

// Put is one PutRecords call.
func (k *watchedKinesis) Put(ctx context.Context, stream string, entries []sink.Entry) ([]sink.Failure, error) {
	if k.page.faults[drainerKilled].on() {
		return nil, errDrainerKilled
	}
	m := k.page.meter(stream)
	if m == nil {
		return k.Service.Put(ctx, stream, entries)
	}
	var refused []sink.Failure
	at := make([]int, 0, len(entries))
	for i := range entries {
		if k.page.faults[kinesisThrottled].on() && !m.valve.admit(time.Now()) {
			refused = append(refused, sink.Failure{Index: i, Err: fmt.Errorf("%w: ProvisionedThroughputExceededException", sink.ErrThrottled)})
			continue
		}
		at = append(at, i)
	}
	if len(at) == 0 {
		return refused, nil
	}
	if len(refused) > 0 {
		admitted := make([]sink.Entry, len(at))
		for i, from := range at {
			admitted[i] = entries[from]
		}
		entries = admitted
	}
	failures, err := k.Service.Put(ctx, stream, entries)
	if err != nil {
		return nil, err
	}
	m.tapped.Add(int64(len(entries) - len(failures)))
	for _, f := range failures {
		refused = append(refused, sink.Failure{Index: at[f.Index], Err: f.Err})
	}
	return refused, nil
}

// Observers returns the observers of the pipeline.
func (p *Page) Observers() local.Observers {
	return local.Observers{Opened: p.setStreams, Ingest: p.answered, Drainer: p.drained, Bridge: p.bridged}
}

// answered counts a request, and its direct records: the object of a batch can have
// many.
func (p *Page) answered(o ingest.Outcome) {
	p.requests.answered.Add(1)
	p.requests.nanoseconds.Add(int64(o.Took))
	if o.Refused != "" {
		p.requests.refused.Add(1)
	}
	if m := p.meter(o.Stream); m != nil {
		for _, n := range o.Archived {
			m.direct.Add(int64(n))
		}
	}
}

// drained counts what became of a claim at Kinesis or Firehose.
func (p *Page) drained(s drain.Summary) {
	m := p.meter(s.Stream)
	if m == nil {
		return
	}
	m.passed(s.MaxAge)
	switch {
	case s.Packed > 0: // Firehose accepted records. The stream may feed a tap since.
		m.drained.Add(int64(s.Forwarded))
		m.crossing.took(int64(s.Forwarded))
	case m.stream.Load().FeedsTap():
		m.throttled.Add(int64(s.Throttled))
	}
}

// bridged counts the records of a batch that the bridge has settled.
func (p *Page) bridged(s bridge.Summary) {
	if m := p.meter(s.Stream); m != nil {
		m.bridged.Add(int64(s.Settled))
		m.deadAtBridge.Add(int64(s.DeadLettered))
		m.crossing.took(int64(s.Settled - s.DeadLettered))
	}
}

// watchArchive shows direct records.
func (p *Page) watchArchive(s archive.Store) archive.Store { return &watchedArchive{s, p} }

type watchedArchive struct {
	archive.Store
	page *Page
}

// Create writes one direct record.
func (a *watchedArchive) Create(ctx context.Context, key string, body []byte) error {
	if err := a.Store.Create(ctx, key, body); err != nil {
		return err
	}
	name, _, _ := strings.Cut(key, "/")
	why, id, ok := strings.Cut(path.Base(key), "-")
	m := a.page.meter(name)
	if m == nil || !ok {
		return nil
	}
	if now := time.Now(); m.newest.look(now) {
		id, _, _ = strings.Cut(id, ".")
		m.newest.add(seen{ID: id, ReceivedAt: now, Direct: why}, body)
	}
	return nil
}

// watchFunction kills the invocations of the drainer during its fault.
func (p *Page) watchFunction(function string, h cloud.Handler) cloud.Handler {
	if function != "drainer" {
		return h
	}
	return func(ctx context.Context, event []byte) ([]byte, error) {
		if p.faults[drainerKilled].on() {
			return nil, errDrainerKilled
		}
		ctx, cancel := p.faults[drainerKilled].life(ctx)
		defer cancel()
		return h(ctx, event)
	}
}
