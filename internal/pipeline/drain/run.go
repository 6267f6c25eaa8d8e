package drain

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/backoff"
	"github.com/data-sink/data-sink/internal/pipeline/deadline"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

const (
	// maxIdleClaims is the number of consecutive claims without progress after
	// which a run ends. The next wake-up or sweep continues.
	maxIdleClaims = 3
	// minPause and maxPause limit the pause after a claim that was not delivered
	// completely. A pausing worker holds neither a claim nor a slot.
	minPause = 100 * time.Millisecond
	maxPause = 5 * time.Second
)

// run drains one stream within one invocation. Each of its workers goes through
// these states:
//
//	┌──────┐   ┌───────┐   ┌─────┐   ┌────────┐   ┌───────┐
//	│ slot ├──▶│ claim ├──▶│ put ├──▶│ settle ├──▶│ pause │
//	└──────┘   └───────┘   └─────┘   └────────┘   └───┬───┘
//	    ▲                                             │
//	    └─────────────────────────────────────────────┘
//
// A worker waits for one of the handler's slots and holds it until its claim is
// settled. It ends instead of waiting when the queue is empty, when Redis fails or
// when the context ends.
//
// A run starts with one worker. After each claim that was delivered it adds a worker
// while records are left, up to ClaimsInFlight. When the service throttles, all workers
// but one end. The number of claims in flight thus adapts to the capacity of the
// stream, and a throttled stream takes no slots from others.
type run struct {
	*Handler
	name     string
	stream   stream.Stream // zero if streams.json does not name the stream
	resource string        // the AWS name of its Kinesis stream and Firehose
	drainer  string

	wg sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	workers int
	claims  int
	idle    int  // consecutive claims without progress
	skipped int  // records that returned to the tail of the queue since the last progress
	drained bool // whether the last claim left nothing in the queue
	scaled  time.Time
	err     error // the first error of Redis
	summary Summary
}

func newRun(h *Handler, name, drainer string) *run {
	s, _ := h.config.Streams.Lookup(name)
	return &run{
		Handler: h, name: name, stream: s, drainer: drainer,
		resource: stream.ResourceName(h.config.Name, name),
		summary:  Summary{Stream: name},
	}
}

// drain works until the queue is empty, ctx ends, or no claim makes progress. It
// settles its claims also after ctx has ended. The error is one of Redis.
func (r *run) drain(ctx context.Context) error {
	reclaimed, err := r.config.Queue.Reclaim(ctx, r.name)
	r.summary.Reclaimed = reclaimed
	if err != nil {
		r.summary.Err = err
		return err
	}
	r.mu.Lock()
	r.startWorker(ctx)
	r.mu.Unlock()
	r.wg.Wait()
	if r.err != nil {
		r.summary.Err = r.err
		return r.err
	}
	r.wakeSuccessor(ctx)
	return nil
}

// startWorker starts a worker. The caller holds mu.
func (r *run) startWorker(ctx context.Context) {
	r.workers++
	r.wg.Go(func() { r.work(ctx) })
}

// work delivers one claim after another.
func (r *run) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			r.endWorker()
			return
		case r.slots <- struct{}{}:
		}
		result := r.deliver(ctx)
		<-r.slots
		pause, proceed := r.after(ctx, result)
		if !proceed {
			return
		}
		if !backoff.Sleep(ctx, pause) {
			r.endWorker()
			return
		}
	}
}

func (r *run) endWorker() {
	r.mu.Lock()
	r.workers--
	r.mu.Unlock()
}

// claimResult is what became of one claim.
type claimResult struct {
	empty bool // the queue was empty
	moved int  // records that were forwarded or became dead letters
	left  int  // records that returned to the queue
	later int  // those of them that returned to its tail, because the shards of their keys were full
	depth int64
	// throttled reports whether Kinesis or Firehose throttled some of the records.
	throttled bool
	err       error // of Redis
}

// deliver makes a claim, puts its records to Kinesis or Firehose and settles the claim.
func (r *run) deliver(ctx context.Context) claimResult {
	if ctx.Err() != nil {
		return claimResult{empty: true}
	}
	lease, cancel := r.lease(ctx)
	defer cancel()
	c, err := r.claim(lease)
	if err != nil {
		return claimResult{err: err}
	}
	r.mu.Lock()
	r.drained = c.Depth == 0
	r.mu.Unlock()
	if len(c.Envelopes) == 0 {
		return claimResult{empty: true}
	}
	// Stop putting at 3/4 of the lease: after it another drainer may own these
	// records, and the last quarter is needed to settle.
	putCtx, cancelPut := context.WithTimeout(ctx, deadline.Left(lease, r.config.Lease/4))
	d := r.put(putCtx, c)
	cancelPut()
	return r.settle(lease, d)
}

// lease returns a context that ends with the lease of a claim that is made now. It
// does not end with ctx: without the answer to a claim, the claim could not be
// released, and its records would wait until the lease expires.
func (r *run) lease(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), r.config.Lease)
}

func (r *run) claim(ctx context.Context) (queue.Claim, error) {
	r.mu.Lock()
	r.claims++
	id := fmt.Sprintf("%s.%d", r.drainer, r.claims)
	r.mu.Unlock()
	return r.config.Queue.Claim(ctx, r.name, id, r.config.Lease, r.config.ClaimRecords, r.config.ClaimBytes)
}

// after notes the result of a claim and decides whether the worker proceeds, and
// after what pause. It counts a worker that ends at once, so that of several
// workers that could end the last one stays.
func (r *run) after(ctx context.Context, c claimResult) (pause time.Duration, proceed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pause, proceed = r.next(c)
	if !proceed {
		r.workers--
		return 0, false
	}
	if c.left == 0 && !c.throttled {
		if !r.drained && r.workers < r.config.ClaimsInFlight && ctx.Err() == nil {
			r.startWorker(ctx)
		}
		r.scaleOut(ctx, c.depth)
	}
	return pause, true
}

// next decides what a worker does after a claim. The caller holds mu.
func (r *run) next(c claimResult) (pause time.Duration, proceed bool) {
	switch {
	case c.err != nil:
		if r.err == nil || errors.Is(r.err, queue.ErrNoReplicas) {
			r.err = c.err // Another error says more than missing replicas.
		}
		return 0, false
	case c.empty || r.err != nil:
		return 0, false
	}
	r.summary.Depth = c.depth
	switch {
	case c.moved > 0:
		r.idle, r.skipped = 0, 0
	case c.later > 0 && r.skipped+c.later <= int(c.depth):
		// The records behind these may belong to other shards. One pass over the
		// queue finds them.
		r.skipped += c.later
	default:
		r.idle++
	}
	switch {
	case c.left > 0 || c.throttled:
		return backoff.Jitter(r.idle, minPause, maxPause), r.workers == 1 && r.idle < maxIdleClaims
	case r.drained:
		// One worker is enough to find out whether the queue stays empty.
		return 0, r.workers == 1
	default:
		return 0, true
	}
}
