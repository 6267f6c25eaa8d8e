package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/backoff"
	"github.com/data-sink/data-sink/internal/pipeline/deadline"
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

// keep makes the records of a request durable, or returns a refusal. It records the
// outcome in o.
func (h *Handler) keep(ctx context.Context, p *submission, o *Outcome) error {
	if p.lines > 0 {
		return h.keepLines(ctx, p, o)
	}
	r := p.record(p.idText, p.body)
	if p.stream.Format.FramedLen(p.body) > stream.MaxFramedBytes {
		return h.toArchive(ctx, p.stream, r, 1, archive.Oversize, nil, o)
	}
	pushed, err := h.push(ctx, p, r, o)
	if err != nil {
		return h.notQueued(ctx, p, r, 1, err, o)
	}
	if pushed.WakeDue {
		h.wake(ctx, p.stream.Name)
	}
	if pushed.Replayed {
		o.Replayed = 1
	} else {
		o.Records = 1
	}
	return nil
}

// notQueued writes a direct record with n records that the queue has not accepted
// because of err, or returns a refusal.
func (h *Handler) notQueued(ctx context.Context, p *submission, r envelope.Record, n int, err error, o *Outcome) error {
	switch {
	case errors.Is(err, queue.ErrKeyReused):
		return &keyReused
	case errors.Is(err, queue.ErrBacklogFull) && p.stream.Overflow == stream.Refuse:
		return &backlogFull
	case errors.Is(err, queue.ErrBacklogFull):
		return h.toArchive(ctx, p.stream, r, n, archive.Overflow, nil, o)
	default:
		return h.toArchive(ctx, p.stream, r, n, archive.Fallback, err, o)
	}
}

// push pushes a single record.
func (h *Handler) push(ctx context.Context, p *submission, r envelope.Record, o *Outcome) (pushed queue.PartPushed, err error) {
	encoded, err := envelope.Encode(r)
	if err != nil {
		return queue.PartPushed{}, err
	}
	bound := int64(p.stream.MaxBacklogMiB) << 20
	err = h.try(ctx, p.stream.Name, o, func(ctx context.Context) (err error) {
		if p.key != nil {
			pushed, err = h.config.Queue.PushPart(ctx, p.stream.Name, queue.Part{Envelopes: [][]byte{encoded}, Key: p.key}, bound)
		} else {
			pushed.Pushed, err = h.config.Queue.Push(ctx, p.stream.Name, encoded, bound)
		}
		return err
	})
	return pushed, err
}

// try calls push, which pushes to a stream, with the time-out of a push. It returns
// an error without a call if the stream's breaker is open or the queue is bypassed.
func (h *Handler) try(ctx context.Context, stream string, o *Outcome, push func(context.Context) error) error {
	if h.config.BypassQueue {
		return errBypassed
	}
	return h.breakers[stream].do(ctx, func() error {
		pushCtx, cancel := context.WithTimeout(ctx, min(h.config.PushTimeout, deadline.Left(ctx, archiveMargin)))
		defer cancel()
		start := time.Now()
		err := retryTransient(pushCtx, push)
		o.Pushes = append(o.Pushes, time.Since(start))
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", errCallerGone, err)
		}
		return err
	})
}

// transientPause is the time between two tries of a push while the cluster changes.
const transientPause = 10 * time.Millisecond

// retryTransient calls push until its error is not transient, or until ctx ends.
func retryTransient(ctx context.Context, push func(context.Context) error) error {
	for {
		err := push(ctx)
		if !queue.IsTransient(err) {
			return err
		}
		if !backoff.Sleep(ctx, transientPause) {
			return err
		}
	}
}

// toArchive writes r, which holds n records, as a direct record. cause is the error
// that led to it, if any.
func (h *Handler) toArchive(ctx context.Context, s stream.Stream, r envelope.Record, n int, why archive.Reason, cause error, o *Outcome) error {
	archiveCtx, cancel := context.WithTimeout(ctx, min(archiveTimeout, deadline.Left(ctx, answerMargin)))
	defer cancel()
	key, err := h.config.Archive.Put(archiveCtx, s, r, why)
	attrs := []slog.Attr{
		slog.String("stream", s.Name), slog.String("id", r.ID), slog.String("reason", string(why)), slog.Int("records", n), slog.Int("bytes", len(r.Body)),
	}
	if cause != nil {
		attrs = append(attrs, slog.String("cause", cause.Error()))
	}
	if err != nil {
		h.config.Log.LogAttrs(ctx, slog.LevelError, archiveFailed, append(attrs, slog.String("error", err.Error()))...)
		return &notStored
	}
	level := slog.LevelWarn
	if why == archive.Oversize {
		level = slog.LevelInfo // expected for such a record
	}
	h.config.Log.LogAttrs(ctx, level, recordArchived, append(attrs, slog.String("hash", archive.Hash(s.Format, r.Body)), slog.String("key", key))...)
	o.archived(why, n)
	o.Records += n
	return nil
}

// wake sends a wake-up that is due. An error is only logged, because the record is
// already durable and the schedule drains queues without wake-ups.
func (h *Handler) wake(ctx context.Context, name string) {
	wakeCtx, cancel := context.WithTimeout(ctx, min(wakeTimeout, deadline.Left(ctx, answerMargin)))
	defer cancel()
	if err := h.config.Waker.Wake(wakeCtx, name, h.config.Wake.Interval); err != nil {
		h.config.Log.WarnContext(ctx, wakeFailed, "stream", name, "error", err)
	}
}
