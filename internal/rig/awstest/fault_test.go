package awstest_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/data-sink/data-sink/internal/rig/awstest"
	"github.com/google/go-cmp/cmp"
)

func TestACallFailsBeforeOrAfterItTookEffect(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault awstest.Fault
		code  string // of the service's own error
		kept  int
	}{
		"500 before":   {fault: awstest.Fault{Fail: awstest.Status500}, code: "InternalFailure"},
		"500 after":    {fault: awstest.Fault{Fail: awstest.Status500, After: true}, code: "InternalFailure", kept: 1},
		"reset before": {fault: awstest.Fault{Fail: awstest.Reset}},
		"reset after":  {fault: awstest.Fault{Fail: awstest.Reset, After: true}, kept: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s *awstest.Server
			seen := make(chan int, 1)
			s = start(t, func(o *awstest.Options) {
				o.Inject = func(awstest.Call) awstest.Fault {
					fault := c.fault
					fault.Do = func() { seen <- len(stored(s)) }
					return fault
				}
			})
			_, err := putRecords(t, s.URL, "k", "x")
			if err == nil || code(err) != c.code {
				t.Errorf("PutRecords: %v, want an error with code %q", err, c.code)
			}
			if got := len(stored(s)); got != c.kept {
				t.Errorf("%d records stored, want %d", got, c.kept)
			}
			if got := <-seen; got != c.kept {
				t.Errorf("Do saw %d records, want %d", got, c.kept)
			}
		})
	}
}

func TestAHangLastsUntilTheCallerGoes(t *testing.T) {
	t.Parallel()
	outcomes := make(chan awstest.Outcome, 1)
	calls := make(chan awstest.Call, 1)
	s := start(t, func(o *awstest.Options) {
		o.Inject = func(awstest.Call) awstest.Fault { return awstest.Fault{Fail: awstest.Hang, After: true} }
		o.Observe = func(c awstest.Call, out awstest.Outcome) { calls <- c; outcomes <- out }
	})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	stream, key := "d.orders", "k"
	begun := time.Now()
	_, err := kinesis.NewFromConfig(config(s.URL, "AKIAX")).PutRecords(ctx, &kinesis.PutRecordsInput{
		StreamName: &stream, Records: []kinesistypes.PutRecordsRequestEntry{{PartitionKey: &key, Data: []byte("x")}},
	})
	if err == nil || time.Since(begun) > awstest.HangFor/2 {
		t.Errorf("PutRecords: %v after %v, want a time-out", err, time.Since(begun))
	}
	call, out := <-calls, <-outcomes
	if out.Answered || out.Stored != 1 || out.Ended.Sub(out.Begun) > awstest.HangFor/2 {
		t.Errorf("outcome %+v, want one record stored, unanswered, and the end at the caller's", out)
	}
	want := awstest.Call{Service: "kinesis", Operation: "PutRecords", Resource: "d.orders", Caller: "AKIAX", Records: 1}
	if diff := cmp.Diff(want, call); diff != "" {
		t.Errorf("call differs (-want +got):\n%s", diff)
	}
}

func TestThrottlingRefusesAShareOfTheRecords(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *awstest.Options) {
		o.Inject = func(awstest.Call) awstest.Fault { return awstest.Fault{Throttle: 0.5} }
	})
	input := make([]string, 0, 1000)
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
	if refused != int(*out.FailedRecordCount) || len(stored(s)) != 500-refused || refused < 150 || refused > 350 {
		t.Errorf("%d of 500 refused, %d counted, %d stored; want about half", refused, *out.FailedRecordCount, len(stored(s)))
	}
	batch, err := putBatch(t, s.URL, "a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
	if err != nil || *batch.FailedPutCount == 0 || *batch.FailedPutCount == 10 {
		t.Errorf("PutRecordBatch = %+v, %v, want some refused", batch, err)
	}
}

func TestTheSeedDeterminesWhatIsThrottled(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) []string {
		s := start(t, func(o *awstest.Options) {
			o.Seed = seed
			o.Inject = func(awstest.Call) awstest.Fault { return awstest.Fault{Throttle: 0.5} }
		})
		var input []string
		for i := range 26 {
			input = append(input, "k", string(rune('a'+i)))
		}
		if _, err := putRecords(t, s.URL, input...); err != nil {
			t.Fatal(err)
		}
		return stored(s)
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
	var mu sync.Mutex
	var did int
	s := start(t, func(o *awstest.Options) {
		o.Inject = func(awstest.Call) awstest.Fault {
			return awstest.Fault{Delay: 50 * time.Millisecond, Do: func() { mu.Lock(); did++; mu.Unlock() }}
		}
	})
	begun := time.Now()
	if _, err := putRecords(t, s.URL, "k", "x"); err != nil || time.Since(begun) < 50*time.Millisecond {
		t.Errorf("PutRecords: %v after %v, want success after the delay", err, time.Since(begun))
	}
	mu.Lock()
	defer mu.Unlock()
	if did != 1 || len(stored(s)) != 1 {
		t.Errorf("Do ran %d times, %d stored, want 1 and 1", did, len(stored(s)))
	}
}

func TestTheRecordsInFirehoseRecordsAreCounted(t *testing.T) {
	t.Parallel()
	outcomes := make(chan awstest.Outcome, 1)
	s := start(t, func(o *awstest.Options) {
		o.Count = func(data []byte) int { return bytes.Count(data, []byte("\n")) }
		o.Inject = func(awstest.Call) awstest.Fault { return awstest.Fault{Fail: awstest.Status500, After: true} }
		o.Observe = func(_ awstest.Call, out awstest.Outcome) { outcomes <- out }
	})
	if _, err := putBatch(t, s.URL, "a\nb\n", "c\n"); err == nil {
		t.Error("PutRecordBatch: no error")
	}
	if out := <-outcomes; out.Stored != 3 {
		t.Errorf("stored %d, want 3", out.Stored)
	}
}
