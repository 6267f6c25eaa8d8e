// Package verifier verifies every stream on a schedule, by package verify: whether
// the archive has what the bridge sent to it, exactly, and whether the queues'
// counters add up.
//
// It looks at a window that is over, and old enough for all of it to be written.
// A difference is logged, and counted by a metric. What could not be verified is
// an error of the invocation: silence never means that all is well.
package verifier

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Lag is how long a window must be over. Its last record is in an object 20
// minutes later: Firehose buffers for 15 at most, and five are for the bridge's
// invocation of one at most, for writing, and for CloudWatch to have the log. The
// rest is reserve.
const Lag = 40 * time.Minute

const (
	// atOnce is how many streams are verified at once: reading an object is
	// waiting for the most part. Each has an object of 128 MiB at most in memory.
	atOnce = 4
	// defaultMargin is enough for the objects in work, and to answer.
	defaultMargin = 30 * time.Second
	// maxLogged bounds the log lines for one stream's differences.
	maxLogged = 100
)

// Names of the log lines, which the alarms' descriptions name.
const (
	logDiffers     = "archive_differs"
	logMore        = "more_differences"
	logVerified    = "stream_verified"
	logUnverified  = "stream_unverified"
	logUninspected = "queues_not_inspected"
	logMalformed   = "packed_line_malformed"
)

// errTooMuch is the error of streams that were not verified in time.
var errTooMuch = errors.New("the time of an invocation is not enough to read all objects: let it run more often, and verify this window by the command")

// Config is what a Handler works with.
type Config struct {
	// Streams are those of streams.json; retired ones are left out.
	Streams *stream.Set
	// Every is the length of a window, in whole hours.
	Every time.Duration
	// Objects is the archive.
	Objects *bucket.Bucket
	// Inspect reads the state of every queue.
	Inspect func(ctx context.Context) (drain.Inspection, error)
	// PackedLines calls each with the lines of the bridge's log that tell of
	// packed records, of that time at least.
	PackedLines func(ctx context.Context, from, to time.Time, each func(line []byte) error) error
	// Settle is how long a record of a stream may be under way to the archive.
	Settle func(s stream.Stream) time.Duration
	// Observe is told of every run that has verified anything; nil for nobody.
	Observe func(Summary)
	// Margin is how long before the invocation's deadline verifying ends. 0 is 30 s.
	Margin time.Duration
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Log takes what was found; nil is slog.Default.
	Log *slog.Logger
}

// Summary is what one run has found, of all streams that it could verify.
type Summary struct {
	// Verified is the number of records that stand in the archive as they were
	// sent, Missing of those that do not stand there.
	Verified, Missing int
	// Differences is the number of findings, of missing records too.
	Differences int
}

// Handler is the verifier's Lambda handler. It is safe for concurrent use.
type Handler struct{ c Config }

// New returns a Handler.
func New(c Config) *Handler {
	c.Margin = cmp.Or(c.Margin, defaultMargin)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Observe == nil {
		c.Observe = func(Summary) {}
	}
	return &Handler{c: c}
}

// Answer is that of an invocation which verified all streams.
type Answer struct {
	From    time.Time         `json:"from"`
	To      time.Time         `json:"to"`
	Streams map[string]Result `json:"streams"`
}

// Result is what was found of one stream. Records and Bytes are those that stand
// in the archive as they were sent, Objects those that were read.
type Result struct {
	Records     int   `json:"records"`
	Bytes       int64 `json:"bytes"`
	Objects     int   `json:"objects"`
	Missing     int   `json:"missing"`
	Differences int   `json:"differences"`
	err         error
}

// Invoke verifies the window that event asks for, see window, and answers with an
// Answer. The error says which streams could not be verified; a difference is none.
func (h *Handler) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	from, to, err := h.window(event)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadlineCause(ctx, deadline.Add(-h.c.Margin), errTooMuch)
		defer stop()
	}
	w := &work{Handler: h, from: from, to: to}
	if err := w.readLog(ctx); err != nil {
		return nil, fmt.Errorf("verifying %s to %s: %w", from.Format(time.RFC3339), to.Format(time.RFC3339), late(ctx, err))
	}
	w.inspection, err = h.c.Inspect(ctx)
	if err != nil {
		h.c.Log.ErrorContext(ctx, logUninspected, "error", err)
		w.problems = append(w.problems, err)
	}
	results := w.verifyAll(ctx)
	if err := w.sumUp(results); err != nil {
		return nil, fmt.Errorf("verifying %s to %s: %w", from.Format(time.RFC3339), to.Format(time.RFC3339), err)
	}
	return json.Marshal(Answer{from, to, results})
}

// window is the time that an invocation verifies: from and to where the event has
// them, and else that before scheduledAt, or before now, in whole hours.
func (h *Handler) window(event []byte) (from, to time.Time, err error) {
	var e struct {
		ScheduledAt time.Time `json:"scheduledAt"`
		From        time.Time `json:"from"`
		To          time.Time `json:"to"`
	}
	if err := json.Unmarshal(event, &e); err != nil {
		return from, to, fmt.Errorf("reading the event: %w", err)
	}
	if !e.From.IsZero() || !e.To.IsZero() {
		if e.From.IsZero() || !e.From.Before(e.To) {
			return from, to, errors.New("reading the event: want from and, after it, to")
		}
		return e.From.UTC(), e.To.UTC(), nil
	}
	if e.ScheduledAt.IsZero() {
		e.ScheduledAt = h.c.Now()
	}
	to = e.ScheduledAt.UTC().Add(-Lag).Truncate(time.Hour)
	return to.Add(-h.c.Every), to, nil
}
