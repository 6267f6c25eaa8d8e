package drain

import (
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/metric"
)

// Metrics writes metrics. Its methods are the observers of a Handler.
type Metrics struct{ Writer *metric.Writer }

// Observe is for Config.Observe.
func (m Metrics) Observe(s Summary) {
	samples := []metric.Sample{
		metric.Claimed.Of(float64(s.Claimed)),
		metric.Forwarded.Of(float64(s.Forwarded)),
		metric.Retried.Of(float64(s.Retried)),
		metric.Throttled.Of(float64(s.Throttled)),
		metric.DeadLettered.Of(float64(s.DeadLettered)),
	}
	switch {
	case s.Packed > 0:
		samples = append(samples, metric.Bridged.Of(float64(s.Forwarded)), metric.Packed.Of(float64(s.Packed)), metric.FirehoseAge.For(s.MaxAge))
	case s.Forwarded > 0:
		samples = append(samples, metric.TapAge.For(s.MaxAge))
	}
	m.Writer.Write(s.Stream, samples...)
}

// ObserveSweep is for Config.ObserveSweep.
func (m Metrics) ObserveSweep(s Sweep) {
	var all []metric.Sample
	if len(s.Queues) > 0 {
		var depth, claims int64
		var oldest time.Duration
		for name, q := range s.Queues {
			if q.Depth == 0 && q.Claims == 0 {
				continue // CloudWatch charges for each metric that has values
			}
			age := time.Duration(0)
			if !q.OldestReceivedAt.IsZero() {
				age = time.Since(q.OldestReceivedAt)
			}
			depth, claims, oldest = depth+q.Depth, claims+q.Claims, max(oldest, age)
			m.Writer.Write(name, metric.QueueDepth.Of(float64(q.Depth)), metric.OldestRecordAge.For(age), metric.ClaimsOutstanding.Of(float64(q.Claims)))
		}
		all = append(all, metric.QueueDepth.Of(float64(depth)), metric.OldestRecordAge.For(oldest), metric.ClaimsOutstanding.Of(float64(claims)))
	}
	for name, lost := range s.Lost {
		// More forwarded than accepted is a repetition, not a loss.
		m.Writer.Write(name, metric.Lost.Of(float64(max(0, lost.Records))))
	}
	for name, backlog := range s.Reset {
		m.Writer.Write(name, metric.Lost.Of(float64(backlog)))
	}
	if s.Policy != "" {
		unsafe := 0.0
		if dropsRecords(s.Policy) {
			unsafe = 1
		}
		all = append(all, metric.EvictionPolicyUnsafe.Of(unsafe))
	}
	m.Writer.Write("", all...)
}
