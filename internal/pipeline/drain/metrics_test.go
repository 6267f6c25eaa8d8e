package drain_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/rig/metrictest"
	"github.com/google/go-cmp/cmp"
)

func TestASummaryBecomesMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		b := newBench(t, func(o *drain.Config) { o.Observe = drain.Metrics{Writer: metric.NewWriter(&out, "d", false)}.Observe })
		b.push("orders", []byte("no envelope"))
		b.pushRecords(t, "orders", 3)
		b.put = func(context.Context, string, []sink.Entry) sink.Result {
			return sink.Result{Invalid: []sink.Invalid{{Index: 2, Reason: "too long a key"}}, Retried: 5, Throttled: 4}
		}
		time.Sleep(2 * time.Second)
		if _, err := b.handler.Invoke(t.Context(), []byte(`{"Records":[{"messageId":"1","body":"{\"stream\":\"orders\"}"}]}`)); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"Claimed Service=d: 4", "DeadLettered Service=d Stream=orders: 2", "DeadLettered Service=d: 2", "Forwarded Service=d: 2",
			"Retried Service=d: 5", "TapAge Service=d: 2", "Throttled Service=d: 4",
		}
		if diff := cmp.Diff(want, metrictest.Texts(metrictest.Read(t, out.Bytes()))); diff != "" {
			t.Errorf("metrics (-want +got):\n%s", diff)
		}
	})
}

func TestAnIdleDrainerWritesNoCounts(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	b := newBench(t, func(o *drain.Config) { o.Observe = drain.Metrics{Writer: metric.NewWriter(&out, "d", true)}.Observe })
	b.sweep(t)
	if out.Len() > 0 {
		t.Errorf("written: %s", &out)
	}
}

// held is an archive that blocks until the sweep was observed.
type held struct {
	*bench
	observed chan struct{}
}

func (h held) PutDeadLetters(ctx context.Context, stage, stream, name string, records []archive.DeadLetter) (string, error) {
	<-h.observed
	return h.bench.PutDeadLetters(ctx, stage, stream, name, records)
}

func TestASweepObservesTheQueuesBesideItsDraining(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		observed := make(chan struct{})
		b := newBench(t, func(o *drain.Config) {
			metrics := drain.Metrics{Writer: metric.NewWriter(&out, "d", false)}
			o.ObserveSweep = func(s drain.Sweep) {
				metrics.ObserveSweep(s)
				close(observed)
			}
			o.Archive = held{o.Archive.(*bench), observed}
		})
		b.policy = "noeviction"
		b.state("orders")
		b.states["orders"].OldestReceivedAt, b.states["orders"].Depth = time.Now(), 1
		time.Sleep(90 * time.Second)
		b.push("orders", []byte("no envelope")) // claimed while the archive hangs
		b.sweep(t)
		points := metrictest.Read(t, out.Bytes())
		for _, p := range points {
			if strings.HasPrefix(p.Name, "Oldest") && p.Values[0] != 90 {
				t.Errorf("%s %s = %v, want 90 s", p.Name, p.Dimensions, p.Values)
			}
		}
		var names []string
		for _, text := range metrictest.Texts(points) {
			name, _, _ := strings.Cut(text, ":")
			names = append(names, name)
		}
		slices.Sort(names)
		want := []string{
			"ClaimsOutstanding Service=d", "EvictionPolicyUnsafe Service=d",
			"OldestRecordAge Service=d", "OldestRecordAge Service=d Stream=orders",
			"QueueDepth Service=d", "QueueDepth Service=d Stream=orders",
		}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("metrics of a sweep (-want +got):\n%s", diff)
		}
	})
}

// TestTheStateOfAllQueuesIsAdded has an empty queue, c, which costs nothing: it has no
// metrics of its own.
func TestTheStateOfAllQueuesIsAdded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		now := time.Now()
		drain.Metrics{Writer: metric.NewWriter(&out, "d", true)}.ObserveSweep(drain.Sweep{Policy: "allkeys-lru", Queues: map[string]queue.State{
			"a": {Depth: 3, Claims: 1, OldestReceivedAt: now.Add(-time.Minute)}, "b": {Depth: 4, Claims: 2, OldestReceivedAt: now.Add(-time.Second)}, "c": {},
		}})
		want := []string{
			"ClaimsOutstanding Service=d Stream=a: 1", "ClaimsOutstanding Service=d Stream=b: 2", "ClaimsOutstanding Service=d: 3",
			"EvictionPolicyUnsafe Service=d: 1",
			"OldestRecordAge Service=d Stream=a: 60", "OldestRecordAge Service=d Stream=b: 1", "OldestRecordAge Service=d: 60",
			"QueueDepth Service=d Stream=a: 3", "QueueDepth Service=d Stream=b: 4", "QueueDepth Service=d: 7",
		}
		if diff := cmp.Diff(want, metrictest.Texts(metrictest.Read(t, out.Bytes()))); diff != "" {
			t.Errorf("metrics (-want +got):\n%s", diff)
		}
	})
}

// A sum over some of the queues would look as if the others were empty.
func TestWithoutRedisNoStateIsWritten(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	var once sync.Once
	b := newBench(t, func(o *drain.Config) {
		o.ObserveSweep = drain.Metrics{Writer: metric.NewWriter(&out, "d", false)}.ObserveSweep
	})
	b.policy = "" // unknown
	b.fail = func(call, stream string) (err error) {
		if call == "Inspect" && stream == "page-views" {
			once.Do(func() { err = errors.New("unreachable") })
		}
		return err
	}
	b.sweep(t)
	if out.Len() > 0 {
		t.Errorf("written: %s", &out)
	}
	if !strings.Contains(b.log.String(), "queues_not_inspected") {
		t.Errorf("log: %s", &b.log)
	}
}

func TestOnlyASweepObservesAllQueues(t *testing.T) {
	t.Parallel()
	observed := 0
	b := newBench(t, func(o *drain.Config) { o.ObserveSweep = func(drain.Sweep) { observed++ } })
	b.push("orders", encode(t, envelope.Record{Stream: "orders", ID: "id", Body: []byte("body")}))
	for _, event := range []string{`{"Records":[{"messageId":"1","body":"{\"stream\":\"orders\"}"}]}`, drain.InspectEvent, drain.SweepEvent} {
		if _, err := b.handler.Invoke(t.Context(), []byte(event)); err != nil {
			t.Fatal(err)
		}
	}
	if observed != 1 {
		t.Errorf("observed %d sweeps, want 1", observed)
	}
}
