package bridge

import "github.com/data-sink/data-sink/internal/pipeline/metric"

// Metrics writes the outcomes of batches as metrics.
type Metrics struct{ Writer *metric.Writer }

// Observe is for Config.Observe.
func (m Metrics) Observe(s Summary) {
	samples := []metric.Sample{
		metric.Bridged.Of(float64(s.Records)),
		metric.Packed.Of(float64(s.Packed)),
		metric.Undelivered.Of(float64(s.Undelivered)),
		metric.DeadLettered.Of(float64(s.DeadLettered)),
	}
	if s.Age > 0 && s.Records > 0 {
		samples = append(samples, metric.FirehoseAge.For(s.Age))
	}
	if s.Blocked > 0 {
		samples = append(samples, metric.BlockedAge.For(s.Blocked))
	}
	m.Writer.Write(s.Stream, samples...)
}
