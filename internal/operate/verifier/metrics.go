package verifier

import "github.com/data-sink/data-sink/internal/pipeline/metric"

// Metrics writes the metrics of a Handler.
type Metrics struct{ Writer *metric.Writer }

// Observe writes the metrics of one run.
func (m Metrics) Observe(s Summary) {
	m.Writer.Write("", metric.Verified.Of(float64(s.Verified)), metric.Missing.Of(float64(s.Missing)), metric.Differences.Of(float64(s.Differences)))
}
