package bridge

import "github.com/data-sink/data-sink/internal/pipeline/metric"

// Metrics writes what a Handler tells its observer as metrics.
type Metrics struct{ Writer *metric.Writer }

// Observe is for Config.Observe.
func (m Metrics) Observe(s Summary) {
	samples := []metric.Sample{
		metric.Bridged.Of(float64(s.Records)),
		metric.Packed.Of(float64(s.Packed)),
		metric.Undelivered.Of(float64(s.Undelivered)),
		metric.DeadLettered.Of(float64(s.Aside)),
	}
	if s.Age > 0 && s.Records > 0 {
		samples = append(samples, metric.FirehoseAge.For(s.Age))
	}
	m.Writer.Write(s.Stream, samples...)
}
