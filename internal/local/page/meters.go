package page

import (
	"context"
	"slices"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// meters are the meters of all streams. They are immutable: SetStreams replaces them.
type meters struct {
	all    []*meter          // in the order of streams.json
	byName map[string]*meter // by the stream's name and by its AWS name
}

// meter returns the meter of a stream by its name or its AWS name, or nil.
func (p *Page) meter(name string) *meter { return p.meters.Load().byName[name] }

// all returns the meters of all streams.
func (p *Page) all() []*meter { return p.meters.Load().all }

// SetStreams changes the streams while the pipeline runs. A stream that is missing
// in the new set remains, as a retired stream. The counters of a stream do not
// change. Calls must not overlap.
func (p *Page) SetStreams(set *stream.Set) {
	next := &meters{byName: make(map[string]*meter)}
	add := func(m *meter) {
		next.all = append(next.all, m)
		next.byName[m.name] = m
		next.byName[stream.ResourceName(p.o.Deployment, m.name)] = m
	}
	var added []*meter
	for _, s := range set.All() {
		m := p.meter(s.Name)
		if m == nil {
			m = newMeter(s)
			added = append(added, m)
		}
		m.stream.Store(&s)
		add(m)
	}
	for _, m := range p.all() {
		if !slices.Contains(next.all, m) {
			retired := *m.stream.Load()
			retired.Retired = true
			m.stream.Store(&retired)
			add(m)
		}
	}
	p.find(added)
	p.meters.Store(next)
}

// find counts the records that the queues of streams hold before the pipeline uses
// them. An external Redis can hold some.
func (p *Page) find(streams []*meter) {
	if p.queue == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*every)
	defer cancel()
	for _, m := range streams {
		state, err := p.queue.Inspect(ctx, m.name)
		if err != nil {
			p.o.Log.WarnContext(ctx, "page: reading the queue", "stream", m.name, "error", err)
			return
		}
		m.found.Store(state.Depth + state.ClaimedRecords)
	}
}
