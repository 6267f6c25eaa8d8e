package local

import (
	"context"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Queue returns the queue that the functions use, without the seams.
func (p *Pipeline) Queue() Queue { return p.functions.queue }

// Sweep invokes the drainer, as the schedule does.
func (p *Pipeline) Sweep(ctx context.Context) error { return sweep(ctx, p.functions.drainer) }

// Delivered returns the number of bytes that the Firehose of a stream has accepted since
// the pipeline started, and how many of them are in objects, in the same order.
func (p *Pipeline) Delivered(name string) (accepted, written int64) {
	return p.firehose.Progress(stream.ResourceName(p.o.Deployment, name))
}

// OnTap counts the records on the tap of a stream that the bridge has not delivered.
func (p *Pipeline) OnTap(name string) (records int64, err error) {
	p.mappings.mu.Lock()
	m := p.mappings.byStream[name]
	p.mappings.mu.Unlock()
	if m == nil { // The stream has no tap.
		return 0, nil
	}
	return m.Waiting()
}
