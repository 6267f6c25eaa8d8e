// Package metrictest parses lines in CloudWatch's Embedded Metric Format, as
// CloudWatch does. It is for tests.
package metrictest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed emf.schema.json
var schema string

// Point is one metric with one set of dimensions in a line.
type Point struct {
	Namespace, Name, Unit string
	// Dimensions are the dimensions with their values, as in "Service=a Stream=b".
	Dimensions string
	At         time.Time
	Values     []float64
}

// Read returns the points of all metric lines in output. It skips lines without
// the member _aws. It fails the test if a line violates the format's schema or the
// rules of the format that the schema does not express.
func Read(tb testing.TB, output []byte) []Point {
	tb.Helper()
	valid := compile(tb)
	var points []Point
	for line := range bytes.Lines(output) {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
		if err != nil {
			tb.Fatalf("not JSON: %v: %s", err, line)
		}
		root, ok := value.(map[string]any)
		if !ok || root["_aws"] == nil {
			continue
		}
		if err := valid.Validate(value); err != nil {
			tb.Fatalf("validating against the schema: %v: %s", err, line)
		}
		of, err := read(line, root)
		if err != nil {
			tb.Fatalf("%v: %s", err, line)
		}
		points = append(points, of...)
	}
	return points
}

func compile(tb testing.TB) *jsonschema.Schema {
	tb.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		tb.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("emf.schema.json", document); err != nil {
		tb.Fatal(err)
	}
	compiled, err := c.Compile("emf.schema.json")
	if err != nil {
		tb.Fatal(err)
	}
	return compiled
}

// read checks the rules that the schema does not express: each dimension and
// metric of a directive has a value, and their numbers are within the limits.
func read(line []byte, root map[string]any) ([]Point, error) {
	var meta struct {
		AWS struct {
			Timestamp         int64
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name, Unit string }
			}
		} `json:"_aws"`
	}
	if err := json.Unmarshal(line, &meta); err != nil {
		return nil, err
	}
	var points []Point
	for _, d := range meta.AWS.CloudWatchMetrics {
		if len(d.Metrics) > 100 {
			return nil, fmt.Errorf("%d metrics in a directive", len(d.Metrics))
		}
		for _, set := range d.Dimensions {
			var dimensions []string
			for _, name := range set {
				value, ok := root[name].(string)
				if !ok || value == "" || len(value) > 1024 {
					return nil, fmt.Errorf("dimension %s has no value", name)
				}
				dimensions = append(dimensions, name+"="+value)
			}
			for _, m := range d.Metrics {
				values, err := numbers(root[m.Name])
				if err != nil {
					return nil, fmt.Errorf("metric %s: %w", m.Name, err)
				}
				points = append(points, Point{
					Namespace: d.Namespace, Name: m.Name, Unit: m.Unit, Dimensions: strings.Join(dimensions, " "),
					At: time.UnixMilli(meta.AWS.Timestamp).UTC(), Values: values,
				})
			}
		}
	}
	return points, nil
}

func numbers(value any) ([]float64, error) {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	if len(list) == 0 || len(list) > metric.MaxValues {
		return nil, fmt.Errorf("%d values", len(list))
	}
	var values []float64
	for _, v := range list {
		n, ok := v.(json.Number)
		if !ok {
			return nil, fmt.Errorf("%v is not a number", v)
		}
		f, err := n.Float64()
		if err != nil {
			return nil, err
		}
		values = append(values, f)
	}
	return values, nil
}

// Texts returns the points in the form "Name Service=a Stream=b: value value",
// sorted.
func Texts(points []Point) []string {
	texts := make([]string, len(points))
	for i, p := range points {
		values := make([]string, len(p.Values))
		for j, v := range p.Values {
			values[j] = fmt.Sprint(v)
		}
		texts[i] = fmt.Sprintf("%s %s: %s", p.Name, p.Dimensions, strings.Join(values, " "))
	}
	slices.Sort(texts)
	return texts
}
