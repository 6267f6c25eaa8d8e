package drain

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

const (
	// idleTurns is how many claims in a row may make no progress before a lane
	// gives its stream up until the next wake-up or sweep.
	idleTurns = 3
	// minPause and maxPause bound the wait after a claim that was not all
	// delivered. It holds neither a claim nor a slot meanwhile.
	minPause = 100 * time.Millisecond
	maxPause = 5 * time.Second
)

// lane drains one stream within one invocation.
//
// It starts with one worker and adds one after each claim that was delivered
// while there is more, up to ClaimsInFlight. At the first sign that Kinesis
// wants less, all workers but one end: so the number of claims in flight finds
// what the stream can take, and a throttled stream keeps no slot from others.
type lane struct {
	h        *Handler
	name     string
	resource string
	drainer  string

	wg sync.WaitGroup

	mu      sync.Mutex // guards what follows
	workers int
	claims  int
	idle    int  // turns in a row without progress
	drained bool // whether the last claim left nothing
	scaled  time.Time
	err     error // of Redis
	summary Summary
}

func newLane(h *Handler, name, drainer string) *lane {
	return &lane{
		h: h, name: name, drainer: drainer,
		resource: stream.ResourceName(h.o.Deployment, name),
		summary:  Summary{Stream: name},
	}
}

// run drains until the queue is empty, work ends, or nothing moves. Claims are
// settled within ctx. The error is Redis'.
func (l *lane) run(ctx, work context.Context) error {
	reclaimed, err := l.h.o.Queue.Reclaim(ctx, l.name)
	l.summary.Reclaimed = reclaimed
	if err != nil {
		l.summary.Err = err
		return err
	}
	l.mu.Lock()
	l.spawn(ctx, work)
	l.mu.Unlock()
	l.wg.Wait()
	if l.err != nil {
		l.summary.Err = l.err
		return l.err
	}
	l.wakeSuccessor(ctx)
	return nil
}

// spawn starts a worker. The caller holds mu.
func (l *lane) spawn(ctx, work context.Context) {
	l.workers++
	l.wg.Go(func() { l.work(ctx, work) })
}

// work takes one turn after another.
func (l *lane) work(ctx, work context.Context) {
	for {
		select {
		case <-work.Done():
			l.leave()
			return
		case l.h.slots <- struct{}{}:
		}
		t := l.turn(ctx, work)
		<-l.h.slots
		pause, goOn := l.after(ctx, work, t)
		if !goOn {
			return
		}
		if !sleep(work, pause) {
			l.leave()
			return
		}
	}
}

// leave counts a worker out.
func (l *lane) leave() {
	l.mu.Lock()
	l.workers--
	l.mu.Unlock()
}

// turn is the outcome of one claim.
type turn struct {
	empty bool // there was nothing to claim
	moved int  // records delivered or put aside
	left  int  // records returned to the queue
	depth int64
	// throttled reports whether Kinesis wanted less on the way.
	throttled bool
	err       error // of Redis
}

// turn takes a claim and delivers it.
func (l *lane) turn(ctx, work context.Context) turn {
	if work.Err() != nil {
		return turn{empty: true}
	}
	l.mu.Lock()
	l.claims++
	id := fmt.Sprintf("%s.%d", l.drainer, l.claims)
	l.mu.Unlock()
	leased := l.h.o.Now()
	// Within ctx, not work: a claim whose answer was not awaited could not be
	// released and would wait for its lease to run out.
	claim, err := l.h.o.Queue.Claim(ctx, l.name, id, l.h.o.Lease, l.h.o.ClaimRecords, l.h.o.ClaimBytes)
	if err != nil {
		return turn{err: err}
	}
	l.mu.Lock()
	l.drained = claim.Depth == 0
	l.mu.Unlock()
	if len(claim.Envelopes) == 0 {
		return turn{empty: true}
	}
	return l.deliver(ctx, work, claim, leased)
}

// after notes a turn and decides whether the worker goes on, and after what
// pause. One that does not is counted out at once: of several that would leave
// the last to the others, the last stays.
func (l *lane) after(ctx, work context.Context, t turn) (pause time.Duration, goOn bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	pause, goOn = l.next(t)
	if !goOn {
		l.workers--
		return 0, false
	}
	if t.left == 0 && !t.throttled {
		if !l.drained && l.workers < l.h.o.ClaimsInFlight && work.Err() == nil {
			l.spawn(ctx, work)
		}
		l.scaleOut(ctx, t.depth)
	}
	return pause, true
}

// next is what a worker does after a turn. The caller holds mu.
func (l *lane) next(t turn) (pause time.Duration, goOn bool) {
	switch {
	case t.err != nil:
		l.err = errors.Join(l.err, t.err)
		return 0, false
	case t.empty || l.err != nil:
		return 0, false
	}
	l.summary.Depth = t.depth
	if t.moved > 0 {
		l.idle = 0
	} else {
		l.idle++
	}
	switch {
	case t.left > 0 || t.throttled:
		return fullJitter(l.idle), l.workers == 1 && l.idle < idleTurns
	case l.drained:
		// One worker is enough to find that the queue stays empty.
		return 0, l.workers == 1
	default:
		return 0, true
	}
}

// fullJitter is a random pause up to a bound that doubles with each idle turn.
func fullJitter(idle int) time.Duration {
	bound := min(maxPause, minPause<<min(idle, 10))
	return rand.N(bound) + time.Millisecond // #nosec G404 -- a pause, no secret.
}

// sleep waits for d, and reports false if ctx ended before.
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
