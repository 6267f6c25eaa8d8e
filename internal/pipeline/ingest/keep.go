package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

const (
	// archiveTimeout bounds a write to the archive, unless the invocation's deadline
	// is earlier.
	archiveTimeout = 10 * time.Second
	// answerMargin is the part of the invocation's time that a write to the archive
	// and a wake-up leave for the answer.
	answerMargin = 200 * time.Millisecond
	// archiveMargin is the part of the invocation's time that a push leaves for the
	// archive. If less than twice that is left, push and archive get half of it each.
	archiveMargin = 5 * time.Second
	// wakeTimeout bounds a wake-up, because the client waits for it.
	wakeTimeout = time.Second
)

// keep makes a record durable, or returns a refusal. It records the outcome in o.
func (h *Handler) keep(ctx context.Context, s stream.Stream, r envelope.Record, o *Outcome) *refusal {
	why, cause := archive.Oversize, error(nil)
	if s.Format.FramedLen(r.Body) <= stream.MaxFramedBytes {
		pushed, err := h.push(ctx, s, r, o)
		switch {
		case err == nil:
			if pushed.WakeDue {
				h.wake(ctx, s.Name)
			}
			return nil
		case errors.Is(err, queue.ErrBacklogFull) && s.Overflow == stream.Refuse:
			return &backlogFull
		case errors.Is(err, queue.ErrBacklogFull):
			why = archive.Overflow
		default:
			why, cause = archive.Fallback, err
		}
	}
	if refused := h.toArchive(ctx, s, r, why, cause); refused != nil {
		return refused
	}
	o.Archived = why
	return nil
}

// push pushes a record, unless the stream's breaker is open or the queue is
// bypassed.
func (h *Handler) push(ctx context.Context, s stream.Stream, r envelope.Record, o *Outcome) (pushed queue.Pushed, err error) {
	if h.config.BypassQueue {
		return queue.Pushed{}, errBypassed
	}
	encoded, err := envelope.Encode(r)
	if err != nil {
		return queue.Pushed{}, err
	}
	err = h.breakers[s.Name].do(ctx, func() error {
		pushCtx, cancel := withTimeout(ctx, h.config.PushTimeout, archiveMargin)
		defer cancel()
		start := time.Now()
		err := retryTransient(pushCtx, func() (err error) {
			pushed, err = h.config.Queue.Push(pushCtx, s.Name, encoded, int64(s.MaxBacklogMiB)<<20)
			return err
		})
		o.Pushed, o.PushTime = true, time.Since(start)
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", errCallerGone, err)
		}
		return err
	})
	return pushed, err
}

// transientPause is the time between two tries of a push while the cluster changes.
const transientPause = 10 * time.Millisecond

// retryTransient calls push until its error is not transient, or until ctx ends.
func retryTransient(ctx context.Context, push func() error) error {
	for {
		err := push()
		if !queue.IsTransient(err) {
			return err
		}
		select {
		case <-time.After(transientPause):
		case <-ctx.Done():
			return err
		}
	}
}

// toArchive writes a direct record. cause is the error that led to it, if any.
func (h *Handler) toArchive(ctx context.Context, s stream.Stream, r envelope.Record, why archive.Reason, cause error) *refusal {
	archiveCtx, cancel := withTimeout(ctx, archiveTimeout, answerMargin)
	defer cancel()
	key, err := h.config.Archive.Put(archiveCtx, s, r, why)
	attrs := []slog.Attr{slog.String("stream", s.Name), slog.String("id", r.ID), slog.String("reason", string(why)), slog.Int("bytes", len(r.Body))}
	if cause != nil {
		attrs = append(attrs, slog.String("cause", cause.Error()))
	}
	if err != nil {
		h.config.Logger.LogAttrs(ctx, slog.LevelError, archiveFailed, append(attrs, slog.String("error", err.Error()))...)
		return &notStored
	}
	level := slog.LevelWarn
	if why == archive.Oversize {
		level = slog.LevelInfo // expected for such a record
	}
	h.config.Logger.LogAttrs(ctx, level, recordArchived, append(attrs, slog.String("key", key))...)
	return nil
}

// wake sends a wake-up that is due. An error is only logged, because the record is
// already durable and the schedule drains queues without wake-ups.
func (h *Handler) wake(ctx context.Context, name string) {
	wakeCtx, cancel := withTimeout(ctx, wakeTimeout, answerMargin)
	defer cancel()
	if err := h.config.Waker.Wake(wakeCtx, name, h.config.WakeInterval); err != nil {
		h.config.Logger.WarnContext(ctx, wakeFailed, "stream", name, "error", err)
	}
}

// withTimeout bounds a step by timeout and by the invocation's deadline less
// margin. If less than twice the margin is left, the step gets half of the time.
func withTimeout(ctx context.Context, timeout, margin time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		timeout = min(timeout, left-min(margin, left/2))
	}
	return context.WithTimeout(ctx, timeout)
}
