package ingest

import "github.com/data-sink/data-sink/internal/pipeline/metric"

// Metrics converts a Handler's outcomes to metrics.
type Metrics struct{ Window *metric.Window }

// Observe is a function for Config.Observe.
func (m Metrics) Observe(o Outcome) {
	samples := make([]metric.Sample, 0, 4)
	if o.Accepted {
		samples = append(samples, metric.Accepted.Of(1), metric.AcceptedBytes.Of(float64(o.Bytes)))
	}
	if o.Undeclared {
		samples = append(samples, metric.UndeclaredEncoding.Of(1))
	}
	if o.Archived != "" {
		samples = append(samples, metric.Archived(string(o.Archived)).Of(1))
	}
	if o.Refused != "" {
		samples = append(samples, metric.Refused(o.Refused).Of(1))
	}
	if o.Pushed {
		samples = append(samples, metric.PushLatency.For(o.PushTime))
	}
	m.Window.Add(o.Stream, samples...)
}
