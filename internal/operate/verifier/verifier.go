// Package verifier runs package verify for every stream on a schedule.
//
// It verifies a window that is over and old enough to be archived completely. Each
// difference is logged, and counted by a metric. If a stream could not be
// verified, the invocation fails.
package verifier

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/manifest"
	"github.com/data-sink/data-sink/internal/pipeline/deadline"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Lag is the age of a window when it is verified. Its last record is in an object
// after 20 minutes: Firehose buffers for at most 15 minutes, and the bridge, the
// write to S3 and the delay of CloudWatch Logs take at most 5. The other 20 minutes
// are a reserve.
const Lag = 40 * time.Minute

const (
	// atOnce is the number of streams that are verified at once, because reading an
	// object is mostly waiting. Each stream holds one object in memory.
	atOnce = 4
	// margin is the time before the invocation's deadline at which the run ends. It is
	// enough time to finish the objects that are being read, and to answer.
	margin = 30 * time.Second
	// maxLogged bounds the log lines for the differences of one stream.
	maxLogged = 100
)

// The messages of the log lines. The descriptions of alarms name them.
const (
	logDiffers     = "archive_differs"
	logMore        = "more_differences"
	logVerified    = "stream_verified"
	logUnverified  = "stream_unverified"
	logUninspected = "queues_not_inspected"
	logMalformed   = "packed_line_malformed"
	logDirect      = "direct_line_malformed"
	logManifest    = "manifest_written"
	logNoManifest  = "manifest_failed"
)

// errTooMuch is the error of streams that were not verified in time.
var errTooMuch = errors.New("out of time: verify this window with the command, and set verifyHours lower")

// Config is the environment and the parts of a Handler. All are required except
// Manifests, Now, Log and Observe. Of the environment, the handler reads Every, which
// is the length of a window.
type Config struct {
	env.Verifier
	// Streams are the streams to verify. Retired streams are verified too, because
	// they drain; a retired stream may have no queue and no objects any more.
	Streams *stream.Set
	// Objects is the archive.
	Objects *bucket.Bucket
	// Manifests writes the manifests of complete hours; nil writes none.
	Manifests *manifest.Archive
	// Inspect reads the state of every queue.
	Inspect func(ctx context.Context) (drain.Inspection, error)
	// PackedLines calls each with the lines of the drainer's and the bridge's logs
	// about packed records from one time to another. It may call each with more lines.
	PackedLines func(ctx context.Context, from, to time.Time, each func(line []byte) error) error
	// DirectLines calls each with the lines of ingest's log about direct records from
	// one time to another. It may call each with more lines.
	DirectLines func(ctx context.Context, from, to time.Time, each func(line []byte) error) error
	// Settle returns the time that a record of a stream may take to the archive.
	Settle func(s stream.Stream) time.Duration

	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Log receives the results. Default slog.Default.
	Log *slog.Logger
	// Observe, if set, is called after each run that verified a stream.
	Observe func(Summary)
}

// Summary is the result of one run for all streams that could be verified.
type Summary struct {
	// Verified is the number of records that are in the archive as they were sent,
	// Missing the number of records that are not in the archive.
	Verified, Missing int
	// Differences is the number of all findings.
	Differences int
}

// Handler is the verifier's Lambda handler. It is safe for concurrent use.
type Handler struct{ config Config }

// New returns a Handler.
func New(c Config) *Handler {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Observe == nil {
		c.Observe = func(Summary) {}
	}
	return &Handler{config: c}
}

// Answer is the answer of an invocation that verified all streams.
type Answer struct {
	From    time.Time         `json:"from"`
	To      time.Time         `json:"to"`
	Streams map[string]Result `json:"streams"`
}

// Result is the result for one stream. Records and Bytes count the records that are
// in the archive as they were sent, Objects the objects that were read.
type Result struct {
	Records     int   `json:"records"`
	Bytes       int64 `json:"bytes"`
	Objects     int   `json:"objects"`
	Missing     int   `json:"missing"`
	Differences int   `json:"differences"`
	err         error
}

// Invoke verifies the window that event asks for, see window, and returns an Answer
// as JSON. The error says which streams could not be verified. A difference is not
// an error.
func (h *Handler) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	from, to, lostSince, err := h.window(event)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, deadline.Left(ctx, margin), errTooMuch)
	defer cancel()
	w := &work{
		Handler: h, from: from, to: to, lostSince: lostSince, settled: h.config.Now().UTC().Add(-Lag), malformed: make(map[string]bool), pending: make(map[time.Time][]pending),
	}
	if w.lines, err = w.readLogs(ctx, from, to); err != nil {
		return nil, fmt.Errorf("verifying %s to %s: %w", from.Format(time.RFC3339), to.Format(time.RFC3339), late(ctx, err))
	}
	w.inspection, err = h.config.Inspect(ctx)
	if err != nil {
		w.noteUninspected(ctx, err)
	}
	for _, name := range slices.Sorted(maps.Keys(w.inspection.Errors)) {
		w.noteUninspected(ctx, fmt.Errorf("inspecting the queue of %s: %s", name, w.inspection.Errors[name]))
	}
	results := w.verifyAll(ctx)
	w.catchUp(ctx)
	if err := w.sumUp(results); err != nil {
		return nil, fmt.Errorf("verifying %s to %s: %w", from.Format(time.RFC3339), to.Format(time.RFC3339), err)
	}
	return json.Marshal(Answer{from, to, results})
}

// noteUninspected makes a queue that could not be inspected a problem of the run.
func (w *work) noteUninspected(ctx context.Context, err error) {
	w.config.Log.ErrorContext(ctx, logUninspected, "error", err)
	w.problems = append(w.problems, err)
}

// window returns the time that an invocation verifies: from and to if the event has
// them, or else the last whole hours before scheduledAt, or before now. For these,
// lostSince is the time of the invocation before, which has reported earlier losses.
func (h *Handler) window(event []byte) (from, to, lostSince time.Time, err error) {
	var e struct {
		ScheduledAt time.Time `json:"scheduledAt"`
		From        time.Time `json:"from"`
		To          time.Time `json:"to"`
	}
	if err := json.Unmarshal(event, &e); err != nil {
		return from, to, lostSince, fmt.Errorf("reading the event: %w", err)
	}
	if !e.From.IsZero() || !e.To.IsZero() {
		if e.From.IsZero() || !e.From.Before(e.To) {
			return from, to, lostSince, errors.New("reading the event: want from and, after it, to")
		}
		return e.From.UTC(), e.To.UTC(), lostSince, nil
	}
	if e.ScheduledAt.IsZero() {
		e.ScheduledAt = h.config.Now()
	}
	to = e.ScheduledAt.UTC().Add(-Lag).Truncate(time.Hour)
	return to.Add(-h.config.Every), to, e.ScheduledAt.Add(-h.config.Every), nil
}
