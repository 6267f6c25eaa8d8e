// Package metric declares every metric of the service. It writes them as log lines
// in CloudWatch's Embedded Metric Format, from which CloudWatch Logs extracts the
// metrics. The functions and the stack use only the metrics in declared.go.
package metric

import (
	"slices"
	"time"
)

// Namespace is the CloudWatch namespace of all metrics. A metric has the dimension
// Service, or the dimensions Service and Stream.
const (
	Namespace = "DataSink"
	// Service is the dimension whose value is the deployment's name.
	Service = "Service"
	// Stream is the dimension whose value is the stream's name.
	Stream = "Stream"
)

// Unit is a unit that CloudWatch knows.
type Unit string

// The units in use.
const (
	Count        Unit = "Count"
	Bytes        Unit = "Bytes"
	Seconds      Unit = "Seconds"
	Milliseconds Unit = "Milliseconds"
)

// Kind is the way in which values of a metric are aggregated.
type Kind int

const (
	// Sum is a count of events. Values are added, and 0 is not written.
	Sum Kind = iota
	// Distribution is a measurement. Every value is written.
	Distribution
	// Snapshot is a state at one moment. The value of the service is written
	// separately from the values of the streams.
	Snapshot
)

// PerStream says whether a metric also has the dimension Stream. Such a metric is
// billed once for each stream.
type PerStream int

const (
	// Never means that the metric has only the dimension Service.
	Never PerStream = iota
	// OnRequest means that the metric has the dimension Stream if the setting
	// streamMetrics asks for it.
	OnRequest
	// Always means that the metric has the dimension Stream.
	Always
)

// Metric is the declaration of a metric.
type Metric struct {
	Name      string
	Unit      Unit
	Kind      Kind
	PerStream PerStream
	// By names the functions that emit the metric. Means describes its values.
	By, Means string
}

// All returns every metric in the order of declared.go.
func All() []Metric { return slices.Clone(declared) }

// Sample is a list of values of one metric.
type Sample struct {
	Metric Metric
	Values []float64
}

// Of returns a sample of m. The values are in m's unit.
func (m Metric) Of(values ...float64) Sample { return Sample{m, values} }

// For returns a sample of m with a duration. The unit of m is Seconds or
// Milliseconds. A negative duration, from the clocks of two machines, becomes 0.
func (m Metric) For(d time.Duration) Sample {
	d = max(d, 0)
	if m.Unit == Milliseconds {
		return m.Of(float64(d) / float64(time.Millisecond))
	}
	return m.Of(d.Seconds())
}
