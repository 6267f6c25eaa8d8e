package metric

import (
	"bytes"
	"encoding/json"
	"io"
	"time"
)

// MaxValues is the maximum number of values of one metric in a line.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
const MaxValues = 100

// Writer writes metrics. It writes each line with one call of the underlying
// io.Writer, so lines do not mix with those of a logger that does the same. It is
// safe for concurrent use if the io.Writer is.
type Writer struct {
	out      io.Writer
	service  string
	detailed bool
	now      func() time.Time
}

// NewWriter returns a Writer that writes a deployment's metrics to out, which is
// the standard output in Lambda. If detailed is true, OnRequest metrics are also
// written for each stream.
func NewWriter(out io.Writer, service string, detailed bool) *Writer {
	return &Writer{out: out, service: service, detailed: detailed, now: time.Now}
}

// directive tells CloudWatch which members of a line are metrics, and which
// dimensions they have.
type directive struct {
	Namespace  string       `json:"Namespace"`
	Dimensions [][]string   `json:"Dimensions"`
	Metrics    []definition `json:"Metrics"`
}

type definition struct {
	Name string `json:"Name"`
	Unit Unit   `json:"Unit"`
}

// Write writes samples as one line, or no line if there is no value. Samples of a
// stream are written for that stream, and counts and measurements also for the
// service. If stream is empty, the samples are written for the service.
//
// Write ignores errors of the underlying io.Writer.
func (w *Writer) Write(stream string, samples ...Sample) { w.write(w.now(), stream, samples) }

func (w *Writer) write(at time.Time, stream string, samples []Sample) {
	ofService := directive{Namespace: Namespace, Dimensions: [][]string{{Service}}}
	ofStream := directive{Namespace: Namespace, Dimensions: [][]string{{Service, Stream}}}
	var values bytes.Buffer
	var more []Sample // for the next line
	for _, s := range samples {
		m := s.Metric
		if len(s.Values) == 0 || m.Kind == Sum && s.Values[0] == 0 {
			continue
		}
		if len(s.Values) > MaxValues {
			more = append(more, m.Of(s.Values[MaxValues:]...))
			s.Values = s.Values[:MaxValues]
		}
		perService := stream == "" || m.Kind != Snapshot
		perStream := stream != "" && (m.PerStream == Always || m.PerStream == OnRequest && w.detailed)
		if perService {
			ofService.Metrics = append(ofService.Metrics, definition{m.Name, m.Unit})
		}
		if perStream {
			ofStream.Metrics = append(ofStream.Metrics, definition{m.Name, m.Unit})
		}
		if perService || perStream {
			member(&values, m.Name, s.value())
		}
	}
	var directives []directive
	for _, d := range []directive{ofService, ofStream} {
		if len(d.Metrics) > 0 {
			directives = append(directives, d)
		}
	}
	if len(directives) == 0 {
		return
	}
	line := bytes.NewBufferString(`{"_aws":{"Timestamp":`)
	encode(line, at.UnixMilli())
	member(line, "CloudWatchMetrics", directives)
	line.WriteByte('}')
	member(line, Service, w.service)
	if len(ofStream.Metrics) > 0 {
		member(line, Stream, stream)
	}
	line.Write(values.Bytes())
	line.WriteString("}\n")
	_, _ = w.out.Write(line.Bytes())
	if len(more) > 0 {
		w.write(at, stream, more)
	}
}

// value returns one number, or a list of numbers.
func (s Sample) value() any {
	if len(s.Values) == 1 {
		return s.Values[0]
	}
	return s.Values
}

func member(b *bytes.Buffer, name string, value any) {
	b.WriteByte(',')
	encode(b, name)
	b.WriteByte(':')
	encode(b, value)
}

func encode(b *bytes.Buffer, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // strings and finite numbers can always be encoded
	}
	b.Write(text)
}
