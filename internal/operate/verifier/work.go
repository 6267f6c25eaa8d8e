package verifier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/verify"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// work is one invocation.
type work struct {
	*Handler
	from, to time.Time
	// lostSince is the time since which losses of the queues are reported; zero is the
	// window.
	lostSince time.Time
	// settled is the time until which the hours can have manifests: Lag before the
	// invocation began to read the logs.
	settled    time.Time
	inspection drain.Inspection
	// problems are errors that concern no single stream. malformed has the messages
	// of malformed lines that were logged.
	problems  []error
	malformed map[string]bool

	// mu guards problems and lines while streams are verified. The lines of a finished stream
	// are dropped.
	mu    sync.Mutex
	lines logs
	// pending are the streams whose manifests of earlier hours are not complete; mu
	// guards it.
	pending map[time.Time][]pending
}

// verifyAll verifies the streams, a few at once, and streams with fewer bytes first:
// if the time is not enough, most streams are verified.
func (w *work) verifyAll(ctx context.Context) map[string]Result {
	bytes := make(map[string]int64)
	for name, lines := range w.lines.packed {
		for _, p := range lines {
			bytes[name] += int64(p.Bytes)
		}
	}
	streams := w.config.Streams.All()
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
				delete(w.lines.packed, s.Name)
				delete(w.lines.direct, s.Name)
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

// verify verifies one stream and logs the result.
func (w *work) verify(ctx context.Context, s stream.Stream) Result {
	w.mu.Lock()
	packed, direct := w.lines.packed[s.Name], w.lines.direct[s.Name]
	w.mu.Unlock()
	config := w.verification(s, w.from, w.to)
	config.Packed, config.Direct = each(packed), each(direct)
	if state, ok := w.inspection.Streams[s.Name]; ok {
		config.Queue, config.LostSince = &state, w.lostSince
	}
	err := context.Cause(ctx)
	var report *verify.Report
	if err == nil {
		report, err = verify.Run(ctx, config)
	}
	if err != nil {
		err = late(ctx, err)
		w.config.Log.ErrorContext(ctx, logUnverified, "stream", s.Name, "error", err)
		return Result{err: err}
	}
	w.writeManifests(ctx, s, report)
	r := Result{Records: report.Archived.Records, Bytes: report.Archived.Bytes, Objects: report.Read.Objects, Differences: len(report.Findings)}
	for i, f := range report.Findings {
		switch inWindow := !f.LoggedAt.Before(w.from) && f.LoggedAt.Before(w.to); {
		case f.Kind == verify.Missing:
			r.Missing += f.Records
		case f.Kind == verify.Changed && inWindow && bucket.Direct(f.Object) == "": // archived, but not as the bridge sent them
			r.Records -= f.Records
			r.Bytes -= f.Bytes
		}
		if i < maxLogged {
			w.log(ctx, s.Name, f)
		}
	}
	if more := len(report.Findings) - maxLogged; more > 0 {
		w.config.Log.ErrorContext(ctx, logMore, "stream", s.Name, "count", more)
	}
	w.config.Log.InfoContext(ctx, logVerified, "stream", s.Name, "from", w.from, "to", w.to, "records", r.Records, "bytes", r.Bytes,
		"objects", r.Objects, "inFlight", report.InFlight.Records, "missing", r.Missing, "differences", r.Differences)
	return r
}

// verification returns the configuration of a verification without logs.
func (w *work) verification(s stream.Stream, from, to time.Time) verify.Config {
	return verify.Config{
		Stream: s.Name, Format: s.Format, HoldsGzip: s.HoldsGzip(), Buffer: time.Duration(s.BufferSeconds) * time.Second, From: from, To: to, Settle: w.settle(s),
		Objects: w.config.Objects, Summaries: w.config.Manifests != nil, Now: w.config.Now,
	}
}

// settle returns the age up to which records may be in flight. Nothing is in flight
// in hours that have been over for Lag.
func (w *work) settle(s stream.Stream) time.Duration {
	over := w.to.Add(time.Hour - 1).Truncate(time.Hour)
	if !w.config.Now().Before(over.Add(Lag)) {
		return 0
	}
	return w.config.Settle(s)
}

func (w *work) log(ctx context.Context, streamName string, f verify.Finding) {
	w.config.Log.ErrorContext(ctx, logDiffers, "stream", streamName, "kind", f.Kind, "hop", f.Hop, "object", f.Object, "offset", f.Offset,
		"bytes", f.Bytes, "records", f.Records, "loggedAt", f.LoggedAt, "firstSequence", f.FirstSequence, "lastSequence", f.LastSequence, "reason", f.Detail)
}

// sumUp calls Observe with the sum of the results. It returns an error if a stream
// was not verified, or if there were other problems.
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
		w.config.Observe(sum)
	}
	problems := w.problems
	if len(unverified) > 0 {
		first := slices.Min(unverified)
		problems = append(problems, fmt.Errorf("%d of %d streams not verified, one of them %s: %w", len(unverified), len(results), first, results[first].err))
	}
	return errors.Join(problems...)
}

// late returns err, or the cause for which the time ran out.
func late(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
