package metric_test

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/rig/metrictest"
	"github.com/google/go-cmp/cmp"
)

// lines returns the points that were written since the last call.
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

// After a freeze, an environment writes its pending samples with their own time.
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
