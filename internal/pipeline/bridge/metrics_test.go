package bridge_test

import (
	"bytes"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/bridge"
	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/metrictest"
	"github.com/google/go-cmp/cmp"
)

func TestWhatBecameOfABatchBecomesMetrics(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var out bytes.Buffer
	observe := bridge.Metrics{Writer: metric.NewWriter(&out, "datasink", false)}.Observe
	large := record(2, bytes.Repeat([]byte("x"), stream.MaxFramedBytes+1))
	invoke(t, b.Handler, t.Context(), event([]sent{record(0, []byte("a")), record(1, []byte("b")), large}))
	observe(b.summaries[0])
	want := []string{
		"Bridged Service=datasink: 2", "DeadLettered Service=datasink Stream=orders: 1", "DeadLettered Service=datasink: 1",
		"FirehoseAge Service=datasink: 10.5", "Packed Service=datasink: 1",
	}
	if diff := cmp.Diff(want, metrictest.Texts(metrictest.Read(t, out.Bytes()))); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}

	out.Reset()
	b.firehose.refuse = func(entries []sink.Entry) sink.Result { return sink.Result{Left: []int{0}} }
	invoke(t, b.Handler, t.Context(), event(records("c", "d")))
	observe(b.summaries[1])
	want = []string{"Undelivered Service=datasink: 2"}
	if diff := cmp.Diff(want, metrictest.Texts(metrictest.Read(t, out.Bytes()))); diff != "" {
		t.Errorf("metrics of an undelivered batch (-want +got):\n%s", diff)
	}
}
