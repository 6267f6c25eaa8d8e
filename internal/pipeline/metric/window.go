package metric

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// window is the time for which a Window collects samples.
const window = 10 * time.Second

// Window collects samples. It writes a line at most every ten seconds, or when a
// metric has MaxValues values, because a line for each request would cost more
// than the request. It is safe for concurrent use.
//
// A frozen environment runs no code. Its pending samples are written by the next
// request, or by Flush when the environment shuts down, with the time of the last
// sample. An environment that is killed without Flush loses its pending samples:
// at most ten seconds of counts, or MaxValues measurements.
type Window struct {
	writer *Writer

	mu          sync.Mutex // guards the fields below
	streams     map[string]pending
	first, last time.Time // times of the first and last pending sample
	written     time.Time
}

// pending holds the samples of one stream, or of the service, by the names of
// their metrics. A count has one value; a measurement has all of its values.
type pending map[string]*Sample

// NewWindow returns a Window that writes to w.
func NewWindow(w *Writer) *Window {
	return &Window{writer: w, streams: make(map[string]pending)}
}

// Add adds samples of a stream, or of the service if stream is empty. It does not
// accept snapshots. The sample of a count has exactly one value.
func (w *Window) Add(stream string, samples ...Sample) {
	if !w.writer.detailed {
		stream = ""
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	// The wall clock is used because the monotonic clock of a frozen environment can
	// stop.
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

// over reports whether a window that began at start has ended. It has also ended
// if the clock was set back.
func over(start, now time.Time) bool {
	since := now.Sub(start)
	return since >= window || since < 0
}

// Flush writes the pending samples.
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
