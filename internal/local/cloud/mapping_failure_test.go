package cloud_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/rig/s3test"
	"github.com/google/go-cmp/cmp"
)

// A bad record is found by splitting batches, and discarded with its bytes kept. All
// other records arrive once, in order.
func TestMappingSplitsABatchThatFails(t *testing.T) {
	t.Parallel()
	k := oneShard(t)
	put(t, k, "s", numbered(0, 64)...)
	c := &consumer{take: func(_ int, data []string) (int, error) {
		if slices.Contains(data, "37") {
			return 0, errors.New("cannot read this")
		}
		return len(data), nil
	}}
	failed, dir := openBucket(t)
	f := c.function()
	deliver(t, openMapping(t, cloud.MappingOptions{Kinesis: k, Function: f, FunctionARN: f.ARN(), MaxRetries: 2, OnFailure: failed}))
	calls, taken := c.seen()
	want := slices.DeleteFunc(numbers(0, 64), func(s string) bool { return s == "37" })
	if diff := cmp.Diff(want, taken); diff != "" {
		t.Errorf("taken differs (-want +got):\n%s", diff)
	}
	alone := 0
	for _, call := range calls {
		if len(call) == 1 && call[0] == "37" {
			alone++
		}
	}
	if alone != 3 {
		t.Errorf("the bad record came alone %d times, want once and two retries", alone)
	}
	objects := s3test.Objects(t, dir)
	if len(objects) != 1 {
		t.Fatalf("%d objects of discarded batches, want 1", len(objects))
	}
	for key, body := range objects {
		checkDiscarded(t, key, body, "RetryAttemptsExhausted", f, "37")
	}
}

// checkDiscarded checks the form in which AWS keeps a batch.
func checkDiscarded(t *testing.T, key, body, condition string, f *cloud.Function, data ...string) {
	t.Helper()
	if matched, err := filepath.Match("aws/lambda/*/"+shard0+"/20??/??/??/20??-??-??T??.??.??-*", key); !matched || err != nil {
		t.Errorf("key %q", key)
	}
	var record struct {
		RequestContext struct{ FunctionArn, Condition string }
		Info           struct {
			ShardID   string `json:"shardId"`
			BatchSize int
			StreamArn string
			First     string `json:"startSequenceNumber"`
			Last      string `json:"endSequenceNumber"`
		} `json:"KinesisBatchInfo"`
		Payload string
	}
	if err := json.Unmarshal([]byte(body), &record); err != nil {
		t.Fatal(err)
	}
	if record.RequestContext.Condition != condition || record.RequestContext.FunctionArn != f.ARN() {
		t.Errorf("request context %+v, want condition %s", record.RequestContext, condition)
	}
	var event events.KinesisEvent
	if err := json.Unmarshal([]byte(record.Payload), &event); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range event.Records {
		got = append(got, string(r.Kinesis.Data))
	}
	if diff := cmp.Diff(data, got); diff != "" {
		t.Errorf("the discarded records differ (-want +got):\n%s", diff)
	}
	info := record.Info
	if info.ShardID != shard0 || info.BatchSize != len(data) {
		t.Errorf("batch of %d records of %s, want %d of %s", info.BatchSize, info.ShardID, len(data), shard0)
	}
	if info.StreamArn != cloud.StreamARN("s") {
		t.Errorf("stream ARN %s", info.StreamArn)
	}
	if info.First == "" || info.Last < info.First {
		t.Errorf("sequence numbers %q to %q", info.First, info.Last)
	}
}

// Only records that are too old are discarded, and never before they were tried.
func TestMappingDiscardsByAge(t *testing.T) {
	t.Parallel()
	now := time.Now()
	arrived := now.Add(-2 * time.Hour)
	k := openKinesis(t, 1, cloud.KinesisOptions{Now: func() time.Time { return arrived }})
	put(t, k, "s", numbered(0, 3)...)
	arrived = now
	put(t, k, "s", numbered(3, 6)...)
	c := &consumer{take: func(call int, data []string) (int, error) {
		if call <= 3 {
			return 0, nil
		}
		return len(data), nil
	}}
	failed, dir := openBucket(t)
	f := c.function()
	deliver(t, openMapping(t, cloud.MappingOptions{
		Kinesis: k, Function: f, FunctionARN: f.ARN(), MaxAge: time.Hour, OnFailure: failed, Now: func() time.Time { return now },
	}))
	if _, taken := c.seen(); !cmp.Equal(taken, numbers(3, 6)) {
		t.Errorf("taken %v, want the young ones", taken)
	}
	for key, body := range s3test.Objects(t, dir) {
		checkDiscarded(t, key, body, "RecordAgeExceeded", f, "0", "1", "2")
	}
	if n := len(s3test.Objects(t, dir)); n != 1 {
		t.Errorf("%d objects of discarded batches, want 1", n)
	}
}

func TestMappingRetriesWhileItsDestinationRefuses(t *testing.T) {
	t.Parallel()
	k := oneShard(t)
	put(t, k, "s", numbered(0, 2)...)
	full := atomic.Bool{}
	full.Store(true)
	dir := t.TempDir()
	failed, err := cloud.OpenBucket("archive", openRoot(t, dir), "archive", &cloud.Faults{Inject: func(cloud.Call) cloud.Fault {
		if full.Load() {
			return cloud.Fault{Fail: cloud.Status500}
		}
		return cloud.Fault{}
	}})
	if err != nil {
		t.Fatal(err)
	}
	c := &consumer{}
	c.take = func(call int, data []string) (int, error) {
		if call == 10 {
			full.Store(false)
		}
		return 0, nil
	}
	deliver(t, openMapping(t, cloud.MappingOptions{Kinesis: k, Function: c.function(), MaxRetries: 1, OnFailure: failed}))
	if n := len(s3test.Objects(t, filepath.Join(dir, "archive"))); n != 1 {
		t.Errorf("%d objects of discarded batches, want 1", n)
	}
	if calls, _ := c.seen(); len(calls) != 10 {
		t.Errorf("%d calls, want 10: none was discarded before the destination kept it", len(calls))
	}
}

func TestMappingTreatsAWrongAnswerAsAnError(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{`{"batchItemFailures":[{"itemIdentifier":"1"}]}`, `{"batchItemFailures":[{"itemIdentifier":""}]}`, `no JSON`} {
		k := oneShard(t)
		put(t, k, "s", numbered(0, 2)...)
		failed, dir := openBucket(t)
		f := &cloud.Function{Name: "bridge", Timeout: time.Minute, Handler: func(context.Context, []byte) ([]byte, error) {
			return []byte(answer), nil
		}}
		deliver(t, openMapping(t, cloud.MappingOptions{Kinesis: k, Function: f, MaxRetries: 1, OnFailure: failed}))
		if n := len(s3test.Objects(t, dir)); n != 2 {
			t.Errorf("answer %s: %d objects of discarded batches, want 2", answer, n)
		}
	}
}
