package cloud_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/google/go-cmp/cmp"
)

// consumer is the function of a mapping. It records the events, and accepts as many
// records as take says.
type consumer struct {
	mu      sync.Mutex
	calls   [][]string
	taken   []string
	largest int
	// take returns how many records, from the first on, are taken, or an error.
	take func(call int, data []string) (int, error)
}

func (c *consumer) invoke(_ context.Context, event []byte) ([]byte, error) {
	var e events.KinesisEvent
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, fmt.Errorf("decoding the event: %w", err)
	}
	data := make([]string, len(e.Records))
	for i, r := range e.Records {
		data[i] = string(r.Kinesis.Data)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, data)
	c.largest = max(c.largest, len(event))
	n, err := len(data), error(nil)
	if c.take != nil {
		n, err = c.take(len(c.calls), data)
	}
	if err != nil {
		return nil, err
	}
	c.taken = append(c.taken, data[:n]...)
	response := events.KinesisEventResponse{BatchItemFailures: []events.KinesisBatchItemFailure{}}
	for _, r := range slices.Backward(e.Records[n:]) { // The mapping looks for the first.
		response.BatchItemFailures = append(response.BatchItemFailures, events.KinesisBatchItemFailure{ItemIdentifier: r.Kinesis.SequenceNumber})
	}
	return json.Marshal(response)
}

func (c *consumer) function() *cloud.Function {
	return &cloud.Function{Name: "bridge", Timeout: time.Minute, Handler: c.invoke}
}

func (c *consumer) seen() (calls [][]string, taken []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls), slices.Clone(c.taken)
}

// deliver runs a mapping until it has nothing left, and then stops it.
func deliver(t *testing.T, m *cloud.Mapping) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); m.Run(ctx) }()
	waitFor(t, "the mapping to deliver all", func() bool { return m.Behind() == 0 })
	cancel()
	<-ended
}

func openMapping(t *testing.T, o cloud.MappingOptions) *cloud.Mapping {
	t.Helper()
	o.Stream, o.Log, o.Backoff = "s", quiet, time.Millisecond
	if o.Dir == nil {
		o.Dir = newRoot(t)
	}
	if o.OnFailure == nil {
		o.OnFailure, _ = openBucket(t)
	}
	m, err := cloud.OpenMapping(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func numbers(from, to int) []string {
	var all []string
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprint(i))
	}
	return all
}

func TestMappingBoundsBatchesByRecords(t *testing.T) {
	t.Parallel()
	k := oneShard(t)
	put(t, k, "s", numbered(0, 10_500)...)
	c := &consumer{}
	deliver(t, openMapping(t, cloud.MappingOptions{Kinesis: k, Function: c.function()}))
	calls, taken := c.seen()
	if len(calls[0]) != 10_000 {
		t.Errorf("first batch has %d records, want 10,000", len(calls[0]))
	}
	if diff := cmp.Diff(numbers(0, 10_500), taken); diff != "" {
		t.Errorf("taken differs (-want +got):\n%s", diff)
	}
}

func TestMappingBoundsBatchesByBytes(t *testing.T) {
	t.Parallel()
	k := oneShard(t)
	for range 12 {
		put(t, k, "s", sink.Entry{PartitionKey: `"\<é`, Data: bytes.Repeat([]byte("x"), 1_000_000)})
	}
	c := &consumer{}
	deliver(t, openMapping(t, cloud.MappingOptions{Kinesis: k, Function: c.function()}))
	calls, taken := c.seen()
	if len(taken) != 12 || len(calls) != 3 || c.largest > 6<<20 {
		t.Errorf("%d records in %d events of at most %d bytes, want 12 in 3 of at most 6 MiB", len(taken), len(calls), c.largest)
	}
}

func TestMappingEventIsThatOfLambda(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 23, 15, 4, 567_000_000, time.UTC)
	k := openKinesis(t, 1, cloud.KinesisOptions{Now: func() time.Time { return at }})
	put(t, k, "s", sink.Entry{PartitionKey: `a"\é`, Data: []byte("\x00\xff")}, sink.Entry{PartitionKey: "b"})
	var got events.KinesisEvent
	f := &cloud.Function{Name: "bridge", Timeout: time.Minute, Handler: func(_ context.Context, event []byte) ([]byte, error) {
		return nil, json.Unmarshal(event, &got)
	}}
	deliver(t, openMapping(t, cloud.MappingOptions{Kinesis: k, Function: f}))
	if len(got.Records) != 2 {
		t.Fatalf("%d records, want 2", len(got.Records))
	}
	sequence := got.Records[0].Kinesis.SequenceNumber
	want := events.KinesisEventRecord{
		AwsRegion: "us-east-1", EventID: shard0 + ":" + sequence, EventName: "aws:kinesis:record", EventSource: "aws:kinesis",
		EventSourceArn: "arn:aws:kinesis:us-east-1:000000000000:stream/s", EventVersion: "1.0",
		InvokeIdentityArn: "arn:aws:iam::000000000000:role/datasink",
		Kinesis: events.KinesisRecord{
			ApproximateArrivalTimestamp: events.SecondsEpochTime{Time: at}, Data: []byte("\x00\xff"), PartitionKey: `a"\é`,
			SequenceNumber: sequence, KinesisSchemaVersion: "1.0",
		},
	}
	got.Records[0].Kinesis.ApproximateArrivalTimestamp.Time = got.Records[0].Kinesis.ApproximateArrivalTimestamp.UTC().Round(time.Millisecond)
	if diff := cmp.Diff(want, got.Records[0]); diff != "" {
		t.Errorf("record differs (-want +got):\n%s", diff)
	}
}

func TestMappingGoesOnBehindAPartialFailure(t *testing.T) {
	t.Parallel()
	k := oneShard(t)
	put(t, k, "s", numbered(0, 100)...)
	c := &consumer{take: func(call int, data []string) (int, error) {
		switch call {
		case 1:
			return 40, nil
		case 2:
			return 0, nil
		}
		return len(data), nil
	}}
	deliver(t, openMapping(t, cloud.MappingOptions{Kinesis: k, Function: c.function()}))
	calls, taken := c.seen()
	if diff := cmp.Diff(numbers(0, 100), taken); diff != "" {
		t.Errorf("taken differs (-want +got):\n%s", diff)
	}
	if len(calls) != 3 || len(calls[1]) != 60 || len(calls[2]) != 60 {
		t.Errorf("%d calls, want three: 100, 60 and 60 records", len(calls))
	}
}

// A mapping that is opened again continues after its checkpoint.
func TestMappingGoesOnFromItsCheckpoint(t *testing.T) {
	t.Parallel()
	dirs := []*os.Root{newRoot(t), newRoot(t)}
	var taken []string
	for run := range 5 {
		k := openKinesis(t, 1, cloud.KinesisOptions{Dir: dirs[0]})
		put(t, k, "s", numbered(run*10, run*10+10)...)
		c := &consumer{}
		deliver(t, openMapping(t, cloud.MappingOptions{Kinesis: k, Function: c.function(), Dir: dirs[1]}))
		_, got := c.seen()
		taken = append(taken, got...)
	}
	if diff := cmp.Diff(numbers(0, 50), taken); diff != "" {
		t.Errorf("taken differs (-want +got):\n%s", diff)
	}
	// The stream's folder was removed, the checkpoint was not.
	k := oneShard(t)
	put(t, k, "s", numbered(0, 3)...)
	c := &consumer{}
	deliver(t, openMapping(t, cloud.MappingOptions{Kinesis: k, Function: c.function(), Dir: dirs[1]}))
	if _, got := c.seen(); !cmp.Equal(got, numbers(0, 3)) {
		t.Errorf("taken from a new stream: %v", got)
	}
}

// Delivered records are removed from the disk, other records are not.
func TestMappingTrimsTheSpool(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := openKinesis(t, 1, cloud.KinesisOptions{Dir: openRoot(t, dir)})
	fill := func() {
		for range 64 {
			put(t, k, "s", sink.Entry{PartitionKey: "k", Data: make([]byte, 1_000_000)})
		}
	}
	files := func() int {
		found, err := filepath.Glob(filepath.Join(dir, "s", shard0, "*.spool"))
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	fill()
	if n := files(); n < 7 {
		t.Errorf("64 MB lie in %d files, want 7 or more of 8 MiB", n)
	}
	f := &cloud.Function{Name: "bridge", Timeout: time.Minute, Handler: func(context.Context, []byte) ([]byte, error) { return nil, nil }}
	deliver(t, openMapping(t, cloud.MappingOptions{Kinesis: k, Function: f}))
	if n := files(); n > 4 {
		t.Errorf("%d files are left after delivery, want what 16 MiB for late taps need", n)
	}
	if late, _ := contents(t, k, shard0, ""); len(late) < 16 {
		t.Errorf("a late tap finds %d records, want at least 16 MB", len(late))
	}
}
