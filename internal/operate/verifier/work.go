package verifier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/operate/verify"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// work is one invocation.
type work struct {
	*Handler
	from, to   time.Time
	inspection drain.Inspection
	// lines are the packed records of each stream, those that are not needed any
	// more left out; mu guards it.
	mu    sync.Mutex
	lines map[string][]pack.Line
	// problems are errors that concern no one stream.
	problems []error
}

// readLog reads the bridge's log once for all streams, of which CloudWatch
// allows a few calls a second. A malformed line is a problem, and hides no other.
func (w *work) readLog(ctx context.Context) error {
	w.lines = make(map[string][]pack.Line)
	begin, end := verify.LogTime(w.from, w.to)
	malformed := 0
	err := w.c.PackedLines(ctx, begin, end, func(line []byte) error {
		p, ok, err := pack.ParseLine(line)
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
		Stream: s.Name, Format: s.Format, Buffer: time.Duration(s.BufferSeconds) * time.Second, From: w.from, To: w.to, Settle: w.settle(s), Objects: w.c.Objects, Now: w.c.Now,
		Packed: func(_ context.Context, _, _ time.Time, each func(pack.Line) error) error {
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
