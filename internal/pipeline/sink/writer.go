package sink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	defaultBaseDelay = 50 * time.Millisecond
	defaultMaxDelay  = 5 * time.Second
)

// Writer puts any number of entries to a stream, in as few calls as its limits
// allow. Its fields must not change once it is in use.
type Writer struct {
	// Service makes the calls.
	Service Service
	// Limits bound each call: KinesisLimits, FirehoseLimits, or settings.
	Limits Limits
	// MaxAttempts is how many calls in a row may settle no entry before Put
	// gives up; 0 goes on until the context ends. A call settles an entry when
	// the service takes it or calls it invalid. A call of several entries that
	// is refused as invalid counts neither way: it is halved, and that ends by
	// itself.
	MaxAttempts int
	// BaseDelay is the longest wait after a call that left entries to be sent
	// again. It doubles with each call in a row that settles no entry, and each
	// wait is a random part of it (full jitter). 0 is 50 ms.
	BaseDelay time.Duration
	// MaxDelay bounds the doubling. 0 is 5 s.
	MaxDelay time.Duration
}

// Put writes entries to the stream of that AWS name and says what became of
// each. It is safe for concurrent use.
//
// Entries that are refused, and those of calls that fail, are sent again,
// together with entries that still wait, so that calls stay full. An entry is
// final only when it is over the limits or the service calls it invalid; in
// which entry of a refused call the fault lies, Put finds by halving the call.
//
// Put returns when nothing is left, when MaxAttempts is reached or when the
// context ends. It begins no call after that, and no wait that would last
// beyond the context's deadline. A call under way is the service's to end.
func (w *Writer) Put(ctx context.Context, stream string, entries []Entry) Result {
	d := newDelivery(w.Limits, entries)
	idle := 0 // calls in a row that settled nothing
	for d.unsettled() > 0 && ctx.Err() == nil {
		failures, err := w.Service.Put(ctx, stream, d.take())
		settled, failed := d.settle(failures, err)
		if settled > 0 {
			idle = 0
		}
		if failed == 0 {
			continue
		}
		if settled == 0 {
			idle++
		}
		if w.MaxAttempts > 0 && idle >= w.MaxAttempts {
			break
		}
		pause := rand.N(w.ceiling(idle)) // #nosec G404 -- no secret.
		if !wait(ctx, pause) {
			break
		}
	}
	result := d.finish()
	if left := len(result.Left); left > 0 {
		result.Err = fmt.Errorf("putting %d entries to %s: %w", left, stream, why(ctx, d.lastErr))
	}
	return result
}

// ceiling is the longest wait after so many calls in a row that settled nothing.
func (w *Writer) ceiling(idle int) time.Duration {
	ceiling, most := w.BaseDelay, w.MaxDelay
	if ceiling <= 0 {
		ceiling = defaultBaseDelay
	}
	if most <= 0 {
		most = defaultMaxDelay
	}
	for range idle - 1 {
		if ceiling > most/2 {
			return most
		}
		ceiling *= 2
	}
	return min(ceiling, most)
}

// wait reports whether the delay has passed and the context still stands. It
// returns at once when the context's deadline is no later than the delay's end:
// what is left of the time is better spent on giving the entries back.
func wait(ctx context.Context, delay time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= delay {
		return false
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// why joins the reasons for which entries are left.
func why(ctx context.Context, last error) error {
	ended := ctx.Err()
	switch {
	case last == nil:
		return ended
	case ended == nil || errors.Is(last, ended):
		return last
	}
	return fmt.Errorf("%w; before that: %w", ended, last)
}
