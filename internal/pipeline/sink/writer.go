package sink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/backoff"
	"github.com/data-sink/data-sink/internal/pipeline/deadline"
)

const (
	defaultBaseDelay = 50 * time.Millisecond
	defaultMaxDelay  = 5 * time.Second
)

// Writer puts any number of entries to a stream in as few calls as its limits
// allow. Its fields must not change after the first Put.
type Writer struct {
	// Service makes the calls.
	Service Service
	// Limits bound each call, for example KinesisLimits or FirehoseLimits.
	Limits Limits
	// MaxAttempts is the number of successive calls that settle no entry after
	// which Put gives up. With 0, Put goes on until the context ends. A call
	// settles an entry when the service accepts the entry or refuses it as invalid.
	// A call of several entries that is refused as invalid is halved and counts
	// neither as settling nor as not settling.
	MaxAttempts int
	// BaseDelay is the longest wait after a call that left entries to send again.
	// It doubles with each successive call that settles no entry, and each wait is
	// a random part of it (full jitter). Default 50 ms.
	BaseDelay time.Duration
	// MaxDelay limits the doubling. Default 5 s.
	MaxDelay time.Duration
}

// Put writes entries to the stream with that AWS name and returns the outcome of
// each. It is safe for concurrent use.
//
// Entries that are refused, and the entries of calls that fail, are sent again.
// Further entries fill up their calls. Throttled entries follow all entries that
// were not sent yet, so that one shard does not hold back the others. Entries over
// the limits, and entries that the service refuses as invalid, are not sent again.
// When the service refuses a call as invalid, Put halves the call to find the
// invalid entries.
//
// Put returns when no entry is left, when MaxAttempts is reached or when the
// context ends. After the context ends Put starts no call, and it starts no wait
// that would last until the context's deadline. The Service ends a call in
// progress.
func (w *Writer) Put(ctx context.Context, stream string, entries []Entry) Result {
	d := newDelivery(w.Limits, entries)
	base, limit := cmp.Or(w.BaseDelay, defaultBaseDelay), cmp.Or(w.MaxDelay, defaultMaxDelay)
	idle := 0 // successive calls that settled no entry
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
		pause := backoff.Jitter(max(idle-1, 0), base, limit)
		// A wait until the deadline would leave no time to give the entries back.
		if deadline.Left(ctx, 0) <= pause || !backoff.Sleep(ctx, pause) {
			break
		}
	}
	result := d.finish()
	if left := len(result.Left); left > 0 {
		result.Err = fmt.Errorf("putting %d entries to %s: %w", left, stream, cause(ctx, d.lastErr))
	}
	return result
}

// cause joins the reasons for which entries are left.
func cause(ctx context.Context, last error) error {
	ended := ctx.Err()
	switch {
	case last == nil:
		return ended
	case ended == nil || errors.Is(last, ended):
		return last
	}
	return fmt.Errorf("%w; before that: %w", ended, last)
}
