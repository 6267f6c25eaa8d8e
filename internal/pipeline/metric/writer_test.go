package metric_test

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/rig/metrictest"
	"github.com/google/go-cmp/cmp"
)

// every is a line with every metric, each with a value, or with several where
// its kind allows that.
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

func TestWhatIsWrittenForWhom(t *testing.T) {
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

func TestNothingToTellIsNoLine(t *testing.T) {
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

// pipe is an output that notices lines that are written in pieces.
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
		if seen[m.Name] || m.Name == metric.Service || m.Name == metric.Stream || m.By == "" || m.Means == "" {
			t.Errorf("%+v", m)
		}
		seen[m.Name] = true
		if m.PerStream == metric.Always {
			perStream++
		}
	}
	// Each costs for each stream and month.
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

// lines are the texts of what was written since the last call.
func lines(t *testing.T, out *bytes.Buffer) []string {
	t.Helper()
	texts := metrictest.Texts(metrictest.Read(t, out.Bytes()))
	out.Reset()
	return texts
}

func TestAWindowWritesAtOnceAndThenEveryTenSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		w := metric.NewWindow(metric.NewWriter(&out, "d", false))
		w.Add("orders", metric.Accepted.Of(1))
		if diff := cmp.Diff([]string{"Accepted Service=d: 1"}, lines(t, &out)); diff != "" {
			t.Errorf("the first request (-want +got):\n%s", diff)
		}
		for range 9 {
			time.Sleep(time.Second)
			w.Add("views", metric.Accepted.Of(1), metric.PushLatency.For(time.Millisecond))
		}
		if out.Len() > 0 {
			t.Errorf("within ten seconds: %s", &out)
		}
		time.Sleep(time.Second)
		w.Add("orders", metric.Accepted.Of(1))
		if diff := cmp.Diff([]string{"Accepted Service=d: 10", "PushLatency Service=d: 1 1 1 1 1 1 1 1 1"}, lines(t, &out)); diff != "" {
			t.Errorf("after ten seconds (-want +got):\n%s", diff)
		}
	})
}

// An environment that is frozen in the middle of a window writes what it holds
// when it thaws, with the time of then.
func TestAWindowOverAFreeze(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		w := metric.NewWindow(metric.NewWriter(&out, "d", false))
		w.Add("", metric.Accepted.Of(1))
		out.Reset()
		time.Sleep(time.Second)
		before := time.Now()
		w.Add("", metric.Accepted.Of(2))
		time.Sleep(time.Hour)
		w.Add("", metric.Accepted.Of(4))
		points := metrictest.Read(t, out.Bytes())
		if len(points) != 2 {
			t.Fatalf("points %v, want those of before and after", metrictest.Texts(points))
		}
		if !points[0].At.Equal(before.Truncate(time.Millisecond)) || points[0].Values[0] != 2 {
			t.Errorf("before the freeze: %+v, want 2 at %v", points[0], before)
		}
		if points[1].Values[0] != 4 || !points[1].At.Equal(time.Now().Truncate(time.Millisecond)) {
			t.Errorf("after it: %+v, want 4 at %v", points[1], time.Now())
		}
	})
}

func TestAWindowIsFlushedAtTheEndAndWhenALineIsFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		w := metric.NewWindow(metric.NewWriter(&out, "d", false))
		w.Add("", metric.Accepted.Of(1))
		out.Reset()
		for range metric.MaxValues {
			w.Add("", metric.Accepted.Of(1), metric.PushLatency.Of(1))
		}
		if n := len(lines(t, &out)); n != 2 {
			t.Errorf("%d metrics once a line is full, want count and latency", n)
		}
		w.Add("", metric.Accepted.Of(5))
		w.Flush()
		if diff := cmp.Diff([]string{"Accepted Service=d: 5"}, lines(t, &out)); diff != "" {
			t.Errorf("flushed (-want +got):\n%s", diff)
		}
		w.Flush()
		if out.Len() > 0 {
			t.Errorf("flushed again: %s", &out)
		}
	})
}

func TestAWindowLosesNoCount(t *testing.T) {
	t.Parallel()
	var out pipe
	w := metric.NewWindow(metric.NewWriter(&out, "d", true))
	const each, workers = 250, 8
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for range each {
				w.Add([]string{"orders", "views"}[i%2], metric.Accepted.Of(1), metric.PushLatency.Of(1))
			}
		})
	}
	wg.Wait()
	w.Flush()
	sums := make(map[string]float64)
	for _, p := range metrictest.Read(t, []byte(strings.Join(out.writes, ""))) {
		for _, v := range p.Values {
			sums[p.Name+" "+p.Dimensions] += v
		}
	}
	want := map[string]float64{
		"Accepted Service=d": each * workers, "PushLatency Service=d": each * workers,
		"Accepted Service=d Stream=orders": each * workers / 2, "Accepted Service=d Stream=views": each * workers / 2,
	}
	if diff := cmp.Diff(want, sums); diff != "" {
		t.Errorf("sums (-want +got):\n%s", diff)
	}
}

func BenchmarkWindow(b *testing.B) {
	w := metric.NewWindow(metric.NewWriter(io.Discard, "datasink", false))
	b.ReportAllocs()
	for b.Loop() {
		w.Add("orders", metric.Accepted.Of(1), metric.AcceptedBytes.Of(1000), metric.PushLatency.Of(1.25))
	}
}
