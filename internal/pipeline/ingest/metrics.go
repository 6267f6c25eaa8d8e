package ingest

import (
	"github.com/data-sink/data-sink/internal/pipeline/metric"
)

// Metrics converts a Handler's outcomes to metrics.
type Metrics struct{ Window *metric.Window }

// Observe is a function for Config.Observe.
func (m Metrics) Observe(o Outcome) {
	samples := make([]metric.Sample, 0, 4)
	if o.Records > 0 {
		samples = append(samples, metric.Accepted.Of(float64(o.Records)), metric.AcceptedBytes.Of(float64(o.Bytes)))
	}
	if o.Replayed > 0 {
		samples = append(samples, metric.Replayed.Of(float64(o.Replayed)))
	}
	if o.Undeclared {
		samples = append(samples, metric.UndeclaredEncoding.Of(1))
	}
	for why, n := range o.Archived {
		samples = append(samples, metric.Archived(string(why)).Of(float64(n)))
	}
	if o.Refused != "" {
		samples = append(samples, metric.Refused(o.Refused).Of(1))
	}
	for _, took := range o.Pushes {
		samples = append(samples, metric.PushLatency.For(took))
	}
	m.Window.Add(o.Stream, samples...)
}
