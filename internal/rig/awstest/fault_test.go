package awstest_test

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/rig/awstest"
	"github.com/google/go-cmp/cmp"
)

// stored returns the data in Kinesis. It may be called from a fault.
func stored(t *testing.T, s *awstest.Server) []string {
	t.Helper()
	records, err := s.Records(context.WithoutCancel(t.Context()), "d.orders")
	if err != nil {
		t.Error(err)
	}
	var all []string
	for _, r := range records {
		all = append(all, string(r.Data))
	}
	return all
}

// onPut injects a fault into PutRecords and PutRecordBatch only.
func onPut(f cloud.Fault) func(cloud.Call) cloud.Fault {
	return func(c cloud.Call) cloud.Fault {
		if c.Operation == "PutRecords" || c.Operation == "PutRecordBatch" {
			return f
		}
		return cloud.Fault{}
	}
}

func TestACallFailsBeforeOrAfterItTookEffect(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault cloud.Fault
		code  string // of the service's own error
		kept  int
	}{
		"500 before":   {fault: cloud.Fault{Fail: cloud.Status500}, code: "InternalFailure"},
		"500 after":    {fault: cloud.Fault{Fail: cloud.Status500, After: true}, code: "InternalFailure", kept: 1},
		"reset before": {fault: cloud.Fault{Fail: cloud.Reset}},
		"reset after":  {fault: cloud.Fault{Fail: cloud.Reset, After: true}, kept: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := make(chan int, 1)
			var s *awstest.Server
			fault := tt.fault
			fault.Do = func() { seen <- len(stored(t, s)) }
			s = start(t, &cloud.Faults{Inject: onPut(fault)})
			_, err := putRecords(t, s.URL, "k", "x")
			if err == nil || code(err) != tt.code {
				t.Errorf("PutRecords: %v, want an error with code %q", err, tt.code)
			}
			if got := len(stored(t, s)); got != tt.kept {
				t.Errorf("%d records stored, want %d", got, tt.kept)
			}
			if got := <-seen; got != tt.kept {
				t.Errorf("Do saw %d records, want %d", got, tt.kept)
			}
		})
	}
}

func TestAHangLastsUntilTheCallerDisconnects(t *testing.T) {
	t.Parallel()
	outcomes, calls := make(chan cloud.Outcome, 1), make(chan cloud.Call, 1)
	s := start(t, &cloud.Faults{
		Inject:  onPut(cloud.Fault{Fail: cloud.Hang, After: true}),
		Observe: func(c cloud.Call, out cloud.Outcome) { calls <- c; outcomes <- out },
	})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	stream, key := "d.orders", "k"
	begun := time.Now()
	_, err := kinesis.NewFromConfig(config(s.URL, "AKIAX")).PutRecords(ctx, &kinesis.PutRecordsInput{
		StreamName: &stream, Records: []kinesistypes.PutRecordsRequestEntry{{PartitionKey: &key, Data: []byte("x")}},
	})
	if err == nil || time.Since(begun) > cloud.HangFor {
		t.Errorf("PutRecords: %v after %v, want a time-out", err, time.Since(begun))
	}
	want := cloud.Call{Service: "kinesis", Operation: "PutRecords", Resource: "d.orders", Caller: "AKIAX", Records: 1}
	if diff := cmp.Diff(want, <-calls); diff != "" {
		t.Errorf("call differs (-want +got):\n%s", diff)
	}
	out := <-outcomes
	if out.Answered || out.Stored != 1 {
		t.Errorf("outcome %+v, want one record stored and no answer", out)
	}
	if took := out.Ended.Sub(out.Begun); took > cloud.HangFor {
		t.Errorf("the call ended after %v, want the end of the caller", took)
	}
}

func TestThrottlingRefusesAShareOfTheRecords(t *testing.T) {
	t.Parallel()
	s := start(t, &cloud.Faults{Inject: onPut(cloud.Fault{Throttle: 0.5})})
	var input []string
	for range 500 {
		input = append(input, "k", "x")
	}
	out, err := putRecords(t, s.URL, input...)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, r := range out.Records {
		if r.ErrorCode != nil && *r.ErrorCode == "ProvisionedThroughputExceededException" {
			refused++
		}
	}
	if refused != int(*out.FailedRecordCount) {
		t.Errorf("%d records refused, %d counted", refused, *out.FailedRecordCount)
	}
	if got := len(stored(t, s)); got != 500-refused {
		t.Errorf("%d records stored, want %d", got, 500-refused)
	}
	if refused < 150 || refused > 350 {
		t.Errorf("%d of 500 records refused, want about half", refused)
	}
	batch, err := putBatch(t, s.URL, "a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
	if err != nil || *batch.FailedPutCount == 0 || *batch.FailedPutCount == 10 {
		t.Errorf("PutRecordBatch = %+v, %v, want some records refused", batch, err)
	}
}

func TestTheSeedDeterminesWhatIsThrottled(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) []string {
		s := start(t, &cloud.Faults{Seed: seed, Inject: onPut(cloud.Fault{Throttle: 0.5})})
		var input []string
		for i := range 26 {
			input = append(input, "k", string(rune('a'+i)))
		}
		if _, err := putRecords(t, s.URL, input...); err != nil {
			t.Fatal(err)
		}
		return stored(t, s)
	}
	if diff := cmp.Diff(run(7), run(7)); diff != "" {
		t.Errorf("the same seed twice differs:\n%s", diff)
	}
	if cmp.Equal(run(7), run(8)) {
		t.Error("two seeds throttle the same records")
	}
}

func TestDelayAndDoWithoutAFailure(t *testing.T) {
	t.Parallel()
	var did atomic.Int64
	s := start(t, &cloud.Faults{Inject: onPut(cloud.Fault{Delay: 50 * time.Millisecond, Do: func() { did.Add(1) }})})
	begun := time.Now()
	if _, err := putRecords(t, s.URL, "k", "x"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < 50*time.Millisecond {
		t.Errorf("the call took %v, want the delay", took)
	}
	if n := did.Load(); n != 1 {
		t.Errorf("Do was called %d times, want once", n)
	}
}

func TestInvalidRecordsAndCounts(t *testing.T) {
	t.Parallel()
	outcomes := make(chan cloud.Outcome, 1)
	s := start(t, &cloud.Faults{
		Count:   func(data []byte) int { return bytes.Count(data, []byte("\n")) },
		Invalid: func(_ string, e sink.Entry) bool { return string(e.Data) == "bad" },
		Inject:  onPut(cloud.Fault{Fail: cloud.Status500, After: true}),
		Observe: func(_ cloud.Call, out cloud.Outcome) { outcomes <- out },
	})
	if _, err := putBatch(t, s.URL, "a\nb\n", "c\n"); err == nil {
		t.Error("PutRecordBatch: no error")
	}
	if out := <-outcomes; out.Stored != 3 {
		t.Errorf("stored %d, want 3", out.Stored)
	}
	if _, err := putBatch(t, s.URL, "x", "bad"); code(err) == "" {
		t.Errorf("PutRecordBatch with an invalid record: %v, want an error of the service", err)
	}
	if out := <-outcomes; out.Stored != 0 {
		t.Errorf("stored %d of a call with an invalid record, want none", out.Stored)
	}
}
