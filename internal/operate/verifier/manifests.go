package verifier

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/manifest"
	"github.com/data-sink/data-sink/internal/operate/verify"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// lookBack is for how long the manifests of an hour are completed: Firehose tries
// to write an object for up to 24 hours.
const lookBack = 25 * time.Hour

// pending is a stream of which an earlier hour has no manifest, or has objects in
// none.
type pending struct {
	stream stream.Stream
	hour   manifest.Hour
}

// writeManifests writes the manifests of the complete hours of the window, and
// notes the earlier hours that are pending. An hour that is not settled gets no
// manifest, and is not pending.
func (w *work) writeManifests(ctx context.Context, s stream.Stream, report *verify.Report) {
	if w.config.Manifests == nil {
		return
	}
	begin := w.from.Truncate(time.Hour).Add(-lookBack)
	hours, err := w.config.Manifests.Hours(ctx, s.Name, begin, w.to)
	if err != nil {
		w.noteManifest(ctx, s.Name, err)
		return
	}
	to := w.to
	if w.settled.Before(to) {
		to = w.settled
	}
	for at, objects := range report.CompleteHours(w.from, to) {
		w.writeManifest(ctx, s.Name, at, hours[at], objects)
	}
	open := make(map[time.Time]bool)
	for at := begin; at.Before(w.from) && !at.Add(time.Hour).After(w.settled); at = at.Add(time.Hour) {
		open[at] = !hours[at].Exists
	}
	for o, err := range w.config.Objects.Hours(ctx, s.Name+"/", begin, w.from) {
		if err != nil {
			w.noteManifest(ctx, s.Name, err)
			return
		}
		at, _ := bucket.Hour(o.Key)
		if _, ok := open[at]; ok && !hours[at].Keys[o.Key] {
			open[at] = true
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for at, isOpen := range open {
		if isOpen {
			w.pending[at] = append(w.pending[at], pending{s, hours[at]})
		}
	}
}

// catchUp verifies the pending hours, the last one first, and writes their
// manifests. Hours for which there is no time stay pending.
func (w *work) catchUp(ctx context.Context) {
	for _, at := range slices.SortedFunc(maps.Keys(w.pending), func(a, b time.Time) int { return b.Compare(a) }) {
		if ctx.Err() != nil {
			return
		}
		lines, err := w.readLogs(ctx, at, at.Add(time.Hour))
		if err != nil {
			w.noteManifest(ctx, "", err)
			return
		}
		for _, p := range w.pending[at] {
			config := w.verification(p.stream, at, at.Add(time.Hour))
			config.Packed, config.Direct = each(lines.packed[p.stream.Name]), each(lines.direct[p.stream.Name])
			report, err := verify.Run(ctx, config)
			if err != nil {
				w.noteManifest(ctx, p.stream.Name, err)
				continue
			}
			if objects, ok := report.CompleteHours(at, at.Add(time.Hour))[at]; ok {
				w.writeManifest(ctx, p.stream.Name, at, p.hour, objects)
			}
		}
	}
}

func (w *work) writeManifest(ctx context.Context, name string, at time.Time, hour manifest.Hour, objects []manifest.Object) {
	written, err := w.config.Manifests.Write(ctx, name, at, hour, objects)
	if err != nil {
		w.noteManifest(ctx, name, err)
	} else if written {
		w.config.Log.InfoContext(ctx, logManifest, "stream", name, "hour", at, "objects", len(objects))
	}
}

// noteManifest makes a manifest that could not be written a problem of the run. An
// hour for which the time is not enough is pending, and not a problem.
func (w *work) noteManifest(ctx context.Context, name string, err error) {
	if ctx.Err() != nil {
		return
	}
	w.config.Log.ErrorContext(ctx, logNoManifest, "stream", name, "error", err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems = append(w.problems, err)
}
