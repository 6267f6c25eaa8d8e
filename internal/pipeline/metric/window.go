package metric

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// window is the time in which a Window adds up.
const window = 10 * time.Second

// Window adds samples up and writes a line at most every ten seconds, or when a
// metric has MaxValues values: a line for each request would cost more than the
// request. It is safe for concurrent use.
//
// A frozen environment runs nothing, so what came in less than ten seconds after
// a line waits for the next request, or for Flush when the environment is shut
// down. It is written then, with the time at which it came. Only what an
// environment holds that is killed without Flush is lost: less than ten seconds
// of counts, or MaxValues measurements.
type Window struct {
	writer *Writer

	mu          sync.Mutex // guards what follows
	streams     map[string]pending
	first, last time.Time // of what is pending
	written     time.Time
}

// pending are the samples of one stream, or of the service alone, by the names
// of their metrics: a count has one value, a measurement all of them.
type pending map[string]*Sample

// NewWindow returns a Window that writes to w.
func NewWindow(w *Writer) *Window {
	return &Window{writer: w, streams: make(map[string]pending)}
}

// Add adds samples of a stream, or of the service alone. They may not be
// snapshots, and a count has one value.
func (w *Window) Add(stream string, samples ...Sample) {
	if !w.writer.detailed {
		stream = ""
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	// By the wall clock: the other one stands still in a frozen environment.
	now := w.writer.now().Round(0)
	if !w.first.IsZero() && over(w.first, now) {
		w.flush()
	}
	p, ok := w.streams[stream]
	if !ok {
		p = make(pending)
		w.streams[stream] = p
	}
	full := false
	for _, s := range samples {
		sum, ok := p[s.Metric.Name]
		switch {
		case !ok:
			p[s.Metric.Name] = &Sample{s.Metric, slices.Clone(s.Values)}
		case s.Metric.Kind == Sum:
			sum.Values[0] += s.Values[0]
		default:
			sum.Values = append(sum.Values, s.Values...)
			full = full || len(sum.Values) >= MaxValues
		}
	}
	if w.first.IsZero() {
		w.first = now
	}
	w.last = now
	if full || over(w.written, now) {
		w.flush()
		w.written = now
	}
}

// over reports whether a window that began at start is over. A clock that was
// set back ends it too.
func over(start, now time.Time) bool {
	since := now.Sub(start)
	return since >= window || since < 0
}

// Flush writes what is pending.
func (w *Window) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flush()
}

func (w *Window) flush() {
	for _, stream := range slices.Sorted(maps.Keys(w.streams)) {
		p := w.streams[stream]
		samples := make([]Sample, 0, len(p))
		for _, name := range slices.Sorted(maps.Keys(p)) {
			samples = append(samples, *p[name])
		}
		w.writer.write(w.last, stream, samples)
	}
	clear(w.streams)
	w.first = time.Time{}
}
