package tap_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/data-sink/data-sink/internal/operate/tap"
	"github.com/google/go-cmp/cmp"
)

// fake is a Kinesis stream in memory. An iterator is the shard, a colon and the
// position of the next record.
type fake struct {
	mu       sync.Mutex
	shards   map[string][]types.Record
	children map[string][]string // of closed shards
	listed   []string
	page     int // records of one answer
	reads    int
	// fail, if set, may answer a read with an error.
	fail func(read int) error
}

func (f *fake) put(shard, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shards[shard] = append(f.shards[shard], types.Record{
		Data: []byte(body), PartitionKey: aws.String("k"), SequenceNumber: aws.String(fmt.Sprint(len(f.shards[shard]))),
		ApproximateArrivalTimestamp: aws.Time(time.Now()),
	})
}

func (f *fake) ListShards(_ context.Context, in *kinesis.ListShardsInput, _ ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error) {
	if in.NextToken == nil && aws.ToString(in.StreamName) != "d.orders" {
		return nil, &types.ResourceNotFoundException{}
	}
	at := slices.Index(f.listed, aws.ToString(in.NextToken))
	out := &kinesis.ListShardsOutput{Shards: []types.Shard{{ShardId: &f.listed[at+1]}}}
	if at+2 < len(f.listed) {
		out.NextToken = &f.listed[at+1]
	}
	return out, nil
}

func (f *fake) GetShardIterator(_ context.Context, in *kinesis.GetShardIteratorInput, _ ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	records := f.shards[*in.ShardId]
	var at int
	switch in.ShardIteratorType {
	case types.ShardIteratorTypeLatest:
		at = len(records)
	case types.ShardIteratorTypeTrimHorizon:
	case types.ShardIteratorTypeAtTimestamp:
		at = len(records)
		if i := slices.IndexFunc(records, func(r types.Record) bool { return !r.ApproximateArrivalTimestamp.Before(*in.Timestamp) }); i >= 0 {
			at = i
		}
	case types.ShardIteratorTypeAfterSequenceNumber:
		at = 1 + slices.IndexFunc(records, func(r types.Record) bool { return *r.SequenceNumber == *in.StartingSequenceNumber })
	}
	return &kinesis.GetShardIteratorOutput{ShardIterator: aws.String(fmt.Sprintf("%s:%d", *in.ShardId, at))}, nil
}

func (f *fake) GetRecords(_ context.Context, in *kinesis.GetRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	if f.fail != nil {
		if err := f.fail(f.reads); err != nil {
			return nil, err
		}
	}
	shard, position, _ := strings.Cut(*in.ShardIterator, ":")
	var at int
	if _, err := fmt.Sscan(position, &at); err != nil {
		return nil, err
	}
	end := min(at+max(f.page, 1), len(f.shards[shard]))
	out := &kinesis.GetRecordsOutput{Records: f.shards[shard][at:end], MillisBehindLatest: aws.Int64(int64(len(f.shards[shard]) - end))}
	if children := f.children[shard]; children != nil && end == len(f.shards[shard]) {
		for _, id := range children {
			out.ChildShards = append(out.ChildShards, types.ChildShard{ShardId: &id})
		}
		return out, nil
	}
	out.NextShardIterator = aws.String(fmt.Sprintf("%s:%d", shard, end))
	return out, nil
}

func newFake(shards ...string) *fake {
	f := &fake{shards: make(map[string][]types.Record), children: make(map[string][]string), listed: shards, page: 2}
	for _, id := range shards {
		f.shards[id] = nil
	}
	return f
}

// read reads a window and returns what it gave, as "shard body", sorted.
func read(t *testing.T, f *fake, w tap.Window) []string {
	t.Helper()
	var got []string
	err := tap.New(f).Read(t.Context(), "d.orders", w, func(r tap.Record) error {
		got = append(got, r.Shard+" "+string(r.Body))
		return nil
	})
	if err != nil {
		t.Errorf("Read: %v", err)
	}
	slices.Sort(got)
	return got
}

func TestReadGivesTheRecordsOfTheWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("s0", "s1")
		f.put("s0", "before")
		time.Sleep(time.Minute)
		from := time.Now()
		for i := range 5 {
			f.put("s0", fmt.Sprint("a", i))
		}
		f.put("s1", "b")
		time.Sleep(time.Minute)
		until := time.Now()
		f.put("s0", "after")

		want := []string{"s0 a0", "s0 a1", "s0 a2", "s0 a3", "s0 a4", "s1 b"}
		if diff := cmp.Diff(want, read(t, f, tap.Window{From: from, Until: until})); diff != "" {
			t.Errorf("records differ (-want +got):\n%s", diff)
		}
	})
}

func TestReadFromNowOnGivesOnlyWhatComes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("s0")
		f.put("s0", "old")
		go func() {
			time.Sleep(10 * time.Second)
			f.put("s0", "new")
		}()
		got := read(t, f, tap.Window{Until: time.Now().Add(time.Minute)})
		if diff := cmp.Diff([]string{"s0 new"}, got); diff != "" {
			t.Errorf("records differ (-want +got):\n%s", diff)
		}
		if f.reads > 70 {
			t.Errorf("read %d times in a minute, want no more than once a second", f.reads)
		}
	})
}

func TestReadFollowsASplitShard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("s0", "s2") // s2 is known from the start
		from := time.Now()
		f.put("s0", "a")
		f.put("s1", "b")
		f.put("s2", "c")
		f.children["s0"] = []string{"s1", "s2"}
		want := []string{"s0 a", "s1 b", "s2 c"}
		if diff := cmp.Diff(want, read(t, f, tap.Window{From: from, Until: from.Add(time.Second)})); diff != "" {
			t.Errorf("records differ (-want +got):\n%s", diff)
		}
	})
}

func TestReadGoesOnAfterExpiryAndThrottling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("s0")
		from := time.Now()
		for i := range 9 {
			f.put("s0", fmt.Sprint(i))
		}
		f.fail = func(read int) error {
			switch read {
			case 2:
				return &types.ExpiredIteratorException{}
			case 4:
				return &types.ProvisionedThroughputExceededException{}
			}
			return nil
		}
		if got := read(t, f, tap.Window{From: from, Until: from.Add(time.Second)}); len(got) != 9 || got[8] != "s0 8" {
			t.Errorf("Read gave %q, want 0 to 8, each once", got)
		}
	})
}

func TestReadEndsWithTheErrorThatEndedIt(t *testing.T) {
	t.Parallel()
	enough := errors.New("enough")
	broken := errors.New("broken")
	for _, tt := range []struct {
		name   string
		stream string
		fail   error
		want   error
	}{
		{"of each", "d.orders", nil, enough},
		{"of Kinesis", "d.orders", broken, broken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFake("s0", "s1")
				from := time.Now()
				f.put("s0", "a")
				f.put("s1", "b")
				f.fail = func(int) error { return tt.fail }
				calls := 0
				err := tap.New(f).Read(t.Context(), tt.stream, tap.Window{From: from}, func(tap.Record) error {
					calls++
					return enough
				})
				if !errors.Is(err, tt.want) {
					t.Errorf("Read = %v, want %v", err, tt.want)
				}
				if tt.fail == nil && calls != 1 {
					t.Errorf("each was called %d times, want once", calls)
				}
			})
		})
	}
	var missing *types.ResourceNotFoundException
	err := tap.New(newFake("s0")).Read(t.Context(), "d.other", tap.Window{}, func(tap.Record) error { return nil })
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "d.other") {
		t.Errorf("Read of an unknown stream = %v, want an error that names it", err)
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		err := tap.New(newFake("s0")).Read(ctx, "d.orders", tap.Window{}, func(tap.Record) error { return nil })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Read = %v, want the context's error", err)
		}
	})
}
