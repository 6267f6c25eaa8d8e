package drain

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

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

// run drains one stream within one invocation.
//
// It starts with one worker. After each claim that was delivered it adds a worker
// while records are left, up to ClaimsInFlight. When Kinesis throttles, all workers
// but one end. The number of claims in flight thus adapts to the capacity of the
// stream, and a throttled stream takes no slots from others.
type run struct {
	h        *Handler
	name     string
	resource string
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
	return &run{
		h: h, name: name, drainer: drainer,
		resource: stream.ResourceName(h.o.Name, name),
		summary:  Summary{Stream: name},
	}
}

// drain works until the queue is empty, the context work ends, or no claim makes
// progress. It settles claims within ctx. The error is one of Redis.
func (r *run) drain(ctx, work context.Context) error {
	reclaimed, err := r.h.o.Queue.Reclaim(ctx, r.name)
	r.summary.Reclaimed = reclaimed
	if err != nil {
		r.summary.Err = err
		return err
	}
	r.mu.Lock()
	r.startWorker(ctx, work)
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
func (r *run) startWorker(ctx, work context.Context) {
	r.workers++
	r.wg.Go(func() { r.work(ctx, work) })
}

// work delivers one claim after another.
func (r *run) work(ctx, work context.Context) {
	for {
		select {
		case <-work.Done():
			r.endWorker()
			return
		case r.h.slots <- struct{}{}:
		}
		result := r.claimAndDeliver(ctx, work)
		<-r.h.slots
		pause, proceed := r.after(ctx, work, result)
		if !proceed {
			return
		}
		if !sleep(work, pause) {
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
	// throttled reports whether Kinesis throttled some of the records.
	throttled bool
	err       error // of Redis
}

func (r *run) claimAndDeliver(ctx, work context.Context) claimResult {
	if work.Err() != nil {
		return claimResult{empty: true}
	}
	r.mu.Lock()
	r.claims++
	id := fmt.Sprintf("%s.%d", r.drainer, r.claims)
	r.mu.Unlock()
	leased := r.h.o.Now()
	// The call runs within ctx, not work: if its answer were not awaited, the claim
	// could not be released and would wait for its lease to expire.
	claim, err := r.h.o.Queue.Claim(ctx, r.name, id, r.h.o.Lease, r.h.o.ClaimRecords, r.h.o.ClaimBytes)
	if err != nil {
		return claimResult{err: err}
	}
	r.mu.Lock()
	r.drained = claim.Depth == 0
	r.mu.Unlock()
	if len(claim.Envelopes) == 0 {
		return claimResult{empty: true}
	}
	return r.deliver(ctx, work, claim, leased)
}

// after notes the result of a claim and decides whether the worker proceeds, and
// after what pause. It counts a worker that ends at once, so that of several
// workers that could end the last one stays.
func (r *run) after(ctx, work context.Context, c claimResult) (pause time.Duration, proceed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pause, proceed = r.next(c)
	if !proceed {
		r.workers--
		return 0, false
	}
	if c.left == 0 && !c.throttled {
		if !r.drained && r.workers < r.h.o.ClaimsInFlight && work.Err() == nil {
			r.startWorker(ctx, work)
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
		return fullJitter(r.idle), r.workers == 1 && r.idle < maxIdleClaims
	case r.drained:
		// One worker is enough to find out whether the queue stays empty.
		return 0, r.workers == 1
	default:
		return 0, true
	}
}

// fullJitter returns a random pause. Its limit doubles with each idle claim.
func fullJitter(idle int) time.Duration {
	limit := min(maxPause, minPause<<min(idle, 10))
	return rand.N(limit) + time.Millisecond // #nosec G404 -- No secret depends on it.
}

// sleep waits for d. It reports false if ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
