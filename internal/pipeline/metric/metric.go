// Package metric declares every metric of the service and writes them as lines
// in CloudWatch's Embedded Metric Format, out of which CloudWatch Logs makes
// metrics. The functions emit, and the stack watches and draws, what stands in
// declared.go and nothing else.
package metric

import (
	"slices"
	"time"
)

// Namespace is the CloudWatch namespace of all metrics. Their dimensions are
// Service alone, or Service and Stream.
const (
	Namespace = "DataSink"
	// Service is the deployment's name.
	Service = "Service"
	// Stream is the stream's name.
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

// Kind is how values of a metric go together.
type Kind int

const (
	// Sum is a count of what happened: values add up, and 0 is not written.
	Sum Kind = iota
	// Distribution is a measurement of which every value counts.
	Distribution
	// Snapshot is how things stand at a moment. The value of the service is not
	// made of those of the streams: each is written for itself.
	Snapshot
)

// PerStream is whether a metric has the dimension Stream too, and so costs for
// each stream.
type PerStream int

const (
	// Never: the metric is of the service alone.
	Never PerStream = iota
	// OnRequest: also of each stream, when the setting asks for detail.
	OnRequest
	// Always: also of each stream.
	Always
)

// Metric is a metric's declaration.
type Metric struct {
	Name      string
	Unit      Unit
	Kind      Kind
	PerStream PerStream
	// By names the functions that emit it, Means says what a value is.
	By, Means string
}

// All returns every metric, in the order of declared.go.
func All() []Metric { return slices.Clone(declared) }

// Sample is values of a metric.
type Sample struct {
	Metric Metric
	Values []float64
}

// Of returns values of m, in its unit.
func (m Metric) Of(values ...float64) Sample { return Sample{m, values} }

// For returns a duration as a value of m, whose unit is one of time. Clocks of
// two machines may make it negative, which is taken as none.
func (m Metric) For(d time.Duration) Sample {
	d = max(d, 0)
	if m.Unit == Milliseconds {
		return m.Of(float64(d) / float64(time.Millisecond))
	}
	return m.Of(d.Seconds())
}
