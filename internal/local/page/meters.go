package page

import (
	"context"
	"errors"
	"fmt"

	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// meters are the meters of all streams. They are immutable: setStreams replaces them.
type meters struct {
	all    []*meter          // in the order of streams.json
	byName map[string]*meter // by the stream's name and by its AWS name
}

// meter returns the meter of a stream by its name or its AWS name, or nil.
func (p *Page) meter(name string) *meter { return p.meters.Load().byName[name] }

// all returns the meters of all streams.
func (p *Page) all() []*meter { return p.meters.Load().all }

// setStreams makes a meter for each new stream. The counters of other streams do not
// change. The pipeline calls it before the records of the new streams move.
func (p *Page) setStreams(pipeline *local.Pipeline, set *stream.Set) {
	if p.pipeline == nil {
		p.pipeline = pipeline
	}
	next := &meters{byName: make(map[string]*meter)}
	for _, s := range set.All() {
		m := p.meter(s.Name)
		if m == nil {
			m = newMeter(s.Name, func() (int64, int64) { return pipeline.Delivered(s.Name) })
			if err := p.find(m); err != nil {
				p.o.Log.Warn("page: counting the records of an earlier pipeline", "stream", s.Name, "error", err)
			}
		}
		m.stream.Store(&s)
		next.all = append(next.all, m)
		next.byName[s.Name] = m
		next.byName[stream.ResourceName(p.o.Deployment, s.Name)] = m
	}
	p.meters.Store(next)
}

// find counts the records that an earlier pipeline left in an external Redis and on the
// tap.
func (p *Page) find(m *meter) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*every)
	defer cancel()
	state, err := p.pipeline.Queue().Inspect(ctx, m.name)
	if err != nil {
		err = fmt.Errorf("reading the queue: %w", err)
	}
	m.foundInRedis = state.Depth + state.ClaimedRecords // 0 after an error, as foundOnTap
	onTap, tapErr := p.pipeline.OnTap(m.name)
	m.foundOnTap = onTap
	return errors.Join(err, tapErr)
}
