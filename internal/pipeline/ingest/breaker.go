package ingest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
)

const (
	// breakerFailures is the number of consecutive failed pushes that open a breaker.
	breakerFailures = 3
	// breakerOpen is the time for which an open breaker lets no push through. After
	// it, the breaker lets one push through as a trial.
	breakerOpen = 5 * time.Second
)

// Errors of pushes that say nothing about Redis.
var (
	errBreakerOpen = errors.New("not pushing: too many pushes failed")
	errBypassed    = errors.New("not pushing: the queue is bypassed")
	errCallerGone  = errors.New("the caller canceled")
)

// breakerState is the state of a breaker.
type breakerState string

const (
	closed   breakerState = "closed"
	open     breakerState = "open"
	halfOpen breakerState = "half-open"
)

// breaker stops the pushes to one stream for a while after consecutive failures, so
// that only a few requests wait for the time-out of a push while Redis is down. It
// uses the wall clock, because the monotonic clock of a frozen environment can stop.
// It is safe for concurrent use.
type breaker struct {
	now    func() time.Time
	logger *slog.Logger

	mu       sync.Mutex // guards the fields below
	state    breakerState
	failures int       // consecutive failures while closed
	openedAt time.Time // while open
}

func newBreaker(stream string, now func() time.Time, logger *slog.Logger) *breaker {
	return &breaker{now: now, logger: logger.With("stream", stream), state: closed}
}

// do calls push and counts its result. It returns errBreakerOpen without a call if
// the breaker is open, or if it is half-open and its trial is running.
func (b *breaker) do(ctx context.Context, push func() error) error {
	trial, ok := b.admit(ctx)
	if !ok {
		return errBreakerOpen
	}
	err := push()
	b.count(ctx, trial, err)
	return err
}

// isOpen reports whether the breaker would refuse a push now.
func (b *breaker) isOpen() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state == halfOpen || b.state == open && !b.rested()
}

// rested reports whether an open breaker has refused pushes for breakerOpen, or the
// clock was set back.
func (b *breaker) rested() bool {
	since := b.now().Round(0).Sub(b.openedAt)
	return since >= breakerOpen || since < 0
}

func (b *breaker) admit(ctx context.Context) (trial, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.state == closed:
		return false, true
	case b.state == open && b.rested():
		b.become(ctx, halfOpen)
		return true, true
	default:
		return false, false
	}
}

func (b *breaker) count(ctx context.Context, trial bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !trial && b.state != closed: // a push from before the breaker opened
	case err == nil || errors.Is(err, queue.ErrBacklogFull) || errors.Is(err, queue.ErrKeyReused):
		b.failures = 0
		b.become(ctx, closed)
	case errors.Is(err, errCallerGone) || queue.IsTransient(err):
		if trial { // it has shown nothing, so the next push is a trial too
			b.become(ctx, open)
		}
	case trial:
		b.openedAt = b.now().Round(0)
		b.become(ctx, open)
	default:
		if b.failures++; b.failures >= breakerFailures {
			b.failures, b.openedAt = 0, b.now().Round(0)
			b.become(ctx, open)
		}
	}
}

// become changes and logs the state.
func (b *breaker) become(ctx context.Context, state breakerState) {
	if b.state == state {
		return
	}
	b.logger.WarnContext(ctx, breakerChanged, "from", string(b.state), "to", string(state))
	b.state = state
}
