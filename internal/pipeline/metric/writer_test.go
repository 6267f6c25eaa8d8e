package metric_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/rig/metrictest"
	"github.com/google/go-cmp/cmp"
)

// every returns a sample of every metric. A distribution has several values.
func every() []metric.Sample {
	var samples []metric.Sample
	for _, m := range metric.All() {
		if m.Kind == metric.Distribution {
			samples = append(samples, m.Of(1.5, 2e-3, 3e9))
			continue
		}
		samples = append(samples, m.Of(7))
	}
	return samples
}

func TestALineHoldsToTheFormat(t *testing.T) {
	t.Parallel()
	for _, stream := range []string{"", "orders"} {
		for _, detailed := range []bool{false, true} {
			var out bytes.Buffer
			metric.NewWriter(&out, "datasink", detailed).Write(stream, every()...)
			points := metrictest.Read(t, out.Bytes())
			if len(points) == 0 {
				t.Errorf("stream %q, detailed %v: no metrics", stream, detailed)
			}
			for _, p := range points {
				if p.Namespace != "DataSink" || time.Since(p.At) > time.Minute || p.Unit == "" {
					t.Errorf("%+v", p)
				}
			}
		}
	}
}

func TestDimensionsOfSamples(t *testing.T) {
	t.Parallel()
	samples := []metric.Sample{metric.Forwarded.Of(3), metric.DeadLettered.Of(2), metric.QueueDepth.Of(0), metric.ClaimsOutstanding.Of(1), metric.Retried.Of(0)}
	tests := []struct {
		name, stream string
		detailed     bool
		want         []string
	}{
		{"service", "", true, []string{
			"ClaimsOutstanding Service=d: 1", "DeadLettered Service=d: 2", "Forwarded Service=d: 3", "QueueDepth Service=d: 0",
		}},
		{"stream", "orders", false, []string{
			"DeadLettered Service=d Stream=orders: 2", "DeadLettered Service=d: 2", "Forwarded Service=d: 3", "QueueDepth Service=d Stream=orders: 0",
		}},
		{"stream in detail", "orders", true, []string{
			"ClaimsOutstanding Service=d Stream=orders: 1", "DeadLettered Service=d Stream=orders: 2", "DeadLettered Service=d: 2",
			"Forwarded Service=d Stream=orders: 3", "Forwarded Service=d: 3", "QueueDepth Service=d Stream=orders: 0",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			metric.NewWriter(&out, "d", test.detailed).Write(test.stream, samples...)
			if diff := cmp.Diff(test.want, metrictest.Texts(metrictest.Read(t, out.Bytes()))); diff != "" {
				t.Errorf("written (-want +got):\n%s", diff)
			}
			if n := bytes.Count(out.Bytes(), []byte("\n")); n != 1 {
				t.Errorf("%d lines, want 1", n)
			}
		})
	}
}

func TestNoLineWithoutValues(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := metric.NewWriter(&out, "d", false)
	w.Write("")
	w.Write("orders", metric.Forwarded.Of(0), metric.TapAge.Of(), metric.ClaimsOutstanding.Of(4))
	if out.Len() > 0 {
		t.Errorf("written: %s", &out)
	}
}

func TestMoreValuesThanALineTakesAreSeveralLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	values := make([]float64, 2*metric.MaxValues+1)
	for i := range values {
		values[i] = float64(i)
	}
	metric.NewWriter(&out, "d", false).Write("", metric.PushLatency.Of(values...), metric.Accepted.Of(5))
	var got []float64
	accepted := 0
	for _, p := range metrictest.Read(t, out.Bytes()) {
		if p.Name == metric.Accepted.Name {
			accepted++
			continue
		}
		got = append(got, p.Values...)
	}
	if !cmp.Equal(values, got) || accepted != 1 {
		t.Errorf("%d of %d values in the end, and %d times the count beside them", len(got), len(values), accepted)
	}
}

func TestDurationsInTheUnitOfTheirMetric(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		sample metric.Sample
		want   float64
	}{
		{metric.PushLatency.For(1500 * time.Microsecond), 1.5}, {metric.TapAge.For(1500 * time.Millisecond), 1.5}, {metric.FirehoseAge.For(-time.Second), 0},
	} {
		if len(test.sample.Values) != 1 || test.sample.Values[0] != test.want {
			t.Errorf("%s = %v, want %v", test.sample.Metric.Name, test.sample.Values, test.want)
		}
	}
}

// pipe keeps each write separately, so that a test can detect partial lines.
type pipe struct {
	mu     sync.Mutex
	writes []string
}

func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes = append(p.writes, string(b))
	return len(b), nil
}

func TestMetricsAndLogShareAnOutput(t *testing.T) {
	t.Parallel()
	var out pipe
	w, log := metric.NewWriter(&out, "d", true), slog.New(slog.NewJSONHandler(&out, nil))
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { w.Write("orders", every()...) })
		wg.Go(func() { log.Info("packed", "stream", "orders") })
	}
	wg.Wait()
	lines := 0
	for _, line := range out.writes {
		if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
			t.Fatalf("a write is no line: %q", line)
		}
		if len(metrictest.Read(t, []byte(line))) > 0 {
			lines++
		}
	}
	if lines != 50 {
		t.Errorf("%d lines of metrics, want 50", lines)
	}
}

func TestDeclarations(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	perStream := 0
	for _, m := range metric.All() {
		if seen[m.Name] {
			t.Errorf("%s is declared twice", m.Name)
		}
		if m.Name == metric.Service || m.Name == metric.Stream {
			t.Errorf("%s is the name of a dimension", m.Name)
		}
		if m.By == "" || m.Means == "" {
			t.Errorf("%s has no function or no description", m.Name)
		}
		seen[m.Name] = true
		if m.PerStream == metric.Always {
			perStream++
		}
	}
	// Each of them is billed for each stream.
	if perStream > 3 {
		t.Errorf("a stream adds %d metrics, want at most 3", perStream)
	}
	if m := metric.Refused("a_new_code"); m.Name != "RefusedOther" {
		t.Errorf("a code without a metric counts as %s", m.Name)
	}
	if m := metric.Refused("body_too_large"); m.Name != "RefusedBodyTooLarge" {
		t.Errorf("body_too_large counts as %s", m.Name)
	}
}
