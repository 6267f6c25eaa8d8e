// Package audit verifies every stream on a schedule, by package verify: whether
// the archive has what the bridge sent to it, exactly, and whether the queues'
// counters add up.
//
// It looks at a window that is over, and old enough for all of it to be written.
// A difference is logged, and counted by a metric. What could not be verified is
// an error of the invocation: silence never means that all is well.
package audit

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/drain"
	"github.com/data-sink/data-sink/internal/objects"
	"github.com/data-sink/data-sink/internal/stream"
	"github.com/data-sink/data-sink/internal/verify"
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
	Objects *objects.Bucket
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

// work is one invocation.
type work struct {
	*Handler
	from, to   time.Time
	inspection drain.Inspection
	// lines are the packed records of each stream, those that are not needed any
	// more left out; mu guards it.
	mu    sync.Mutex
	lines map[string][]verify.Packed
	// problems are errors that concern no one stream.
	problems []error
}

// readLog reads the bridge's log once for all streams, of which CloudWatch
// allows a few calls a second. A malformed line is a problem, and hides no other.
func (w *work) readLog(ctx context.Context) error {
	w.lines = make(map[string][]verify.Packed)
	begin, end := verify.LogTime(w.from, w.to)
	malformed := 0
	err := w.c.PackedLines(ctx, begin, end, func(line []byte) error {
		p, ok, err := verify.ParsePacked(line)
		if err != nil {
			if malformed++; malformed == 1 {
				w.c.Log.ErrorContext(ctx, logMalformed, "error", err)
				w.problems = append(w.problems, err)
			}
			return nil
		}
		if ok && !p.LoggedAt.Before(begin) && p.LoggedAt.Before(end) {
			w.lines[p.Stream] = append(w.lines[p.Stream], p)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the bridge's log: %w", err)
	}
	return nil
}

// verifyAll verifies the streams, a few at once and those with the least to read
// first: where the time is not enough, it is so for the fewest.
func (w *work) verifyAll(ctx context.Context) map[string]Result {
	bytes := make(map[string]int64)
	for name, lines := range w.lines {
		for _, p := range lines {
			bytes[name] += int64(p.Bytes)
		}
	}
	streams := slices.DeleteFunc(w.c.Streams.All(), func(s stream.Stream) bool { return s.Retired })
	slices.SortFunc(streams, func(a, b stream.Stream) int {
		return cmp.Or(cmp.Compare(bytes[a.Name], bytes[b.Name]), cmp.Compare(a.Name, b.Name))
	})
	results := make(map[string]Result, len(streams))
	next := make(chan stream.Stream)
	var workers sync.WaitGroup
	for range min(atOnce, len(streams)) {
		workers.Go(func() {
			for s := range next {
				r := w.verify(ctx, s)
				w.mu.Lock()
				results[s.Name] = r
				delete(w.lines, s.Name)
				w.mu.Unlock()
			}
		})
	}
	for _, s := range streams {
		next <- s
	}
	close(next)
	workers.Wait()
	return results
}

// verify verifies one stream and logs what it finds.
func (w *work) verify(ctx context.Context, s stream.Stream) Result {
	w.mu.Lock()
	lines := w.lines[s.Name]
	w.mu.Unlock()
	config := verify.Config{
		Stream: s.Name, From: w.from, To: w.to, Settle: w.settle(s), Objects: w.c.Objects, Now: w.c.Now,
		Packed: func(_ context.Context, _, _ time.Time, each func(verify.Packed) error) error {
			for _, p := range lines {
				if err := each(p); err != nil {
					return err
				}
			}
			return nil
		},
	}
	if state, ok := w.inspection.Streams[s.Name]; ok {
		config.Queue = &state
	}
	err := context.Cause(ctx)
	var report *verify.Report
	if err == nil {
		report, err = verify.Run(ctx, config)
	}
	if err != nil {
		err = late(ctx, err)
		w.c.Log.ErrorContext(ctx, logUnverified, "stream", s.Name, "error", err)
		return Result{err: err}
	}
	r := Result{Records: report.Archived.Records, Bytes: report.Archived.Bytes, Objects: report.Read.Objects, Differences: len(report.Findings)}
	for i, f := range report.Findings {
		switch inWindow := !f.LoggedAt.Before(w.from) && f.LoggedAt.Before(w.to); {
		case f.Kind == verify.Missing:
			r.Missing += f.Records
		case f.Kind == verify.Changed && inWindow: // there, but not as they were sent
			r.Records -= f.Records
			r.Bytes -= f.Bytes
		}
		if i < maxLogged {
			w.log(ctx, s.Name, f)
		}
	}
	if more := len(report.Findings) - maxLogged; more > 0 {
		w.c.Log.ErrorContext(ctx, logMore, "stream", s.Name, "count", more)
	}
	w.c.Log.InfoContext(ctx, logVerified, "stream", s.Name, "from", w.from, "to", w.to, "records", r.Records, "bytes", r.Bytes,
		"objects", r.Objects, "inFlight", report.InFlight.Records, "missing", r.Missing, "differences", r.Differences)
	return r
}

// settle is how old what is under way may be. Of hours that have been over for Lag
// nothing is: what is missing is so for good, and an object that was written a
// moment ago has no other excuse.
func (w *work) settle(s stream.Stream) time.Duration {
	over := w.to.Add(time.Hour - 1).Truncate(time.Hour)
	if !w.c.Now().Before(over.Add(Lag)) {
		return 0
	}
	return w.c.Settle(s)
}

func (w *work) log(ctx context.Context, streamName string, f verify.Finding) {
	w.c.Log.ErrorContext(ctx, logDiffers, "stream", streamName, "kind", f.Kind, "hop", f.Hop, "object", f.Object, "offset", f.Offset,
		"bytes", f.Bytes, "records", f.Records, "loggedAt", f.LoggedAt, "firstSequence", f.FirstSequence, "lastSequence", f.LastSequence, "reason", f.Detail)
}

// sumUp tells of the run, and returns an error when it was not a whole one.
func (w *work) sumUp(results map[string]Result) error {
	var sum Summary
	var unverified []string
	for name, r := range results {
		if r.err != nil {
			unverified = append(unverified, name)
		}
		sum.Verified += r.Records
		sum.Missing += r.Missing
		sum.Differences += r.Differences
	}
	if len(unverified) == 0 || len(unverified) < len(results) {
		w.c.Observe(sum)
	}
	problems := w.problems
	if len(unverified) > 0 {
		first := slices.Min(unverified)
		problems = append(problems, fmt.Errorf("%d of %d streams not verified, as %s: %w", len(unverified), len(results), first, results[first].err))
	}
	return errors.Join(problems...)
}

// late is err, or why there was no more time.
func late(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
