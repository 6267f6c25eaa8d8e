package tap_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	one := types.Shard{ShardId: &f.listed[at+1]}
	if parents := f.parents(f.listed[at+1]); len(parents) > 0 {
		one.ParentShardId = &parents[0]
		if len(parents) > 1 {
			one.AdjacentParentShardId = &parents[1]
		}
	}
	out := &kinesis.ListShardsOutput{Shards: []types.Shard{one}}
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
			out.ChildShards = append(out.ChildShards, types.ChildShard{ShardId: &id, ParentShards: f.parents(id)})
		}
		return out, nil
	}
	out.NextShardIterator = aws.String(fmt.Sprintf("%s:%d", shard, end))
	return out, nil
}

// parents returns the closed shards that a shard follows, sorted.
func (f *fake) parents(id string) (parents []string) {
	for parent, children := range f.children {
		if slices.Contains(children, id) {
			parents = append(parents, parent)
		}
	}
	slices.Sort(parents)
	return parents
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

// resharded is a stream whose shard s0 was split into s1 and s2, of which s2 was merged
// with s3 into s4. Each shard has two records.
func resharded() *fake {
	f := newFake("s0", "s1", "s2", "s3", "s4")
	for id := range f.shards {
		f.put(id, id+" first")
		f.put(id, id+" second")
	}
	f.children["s0"], f.children["s2"], f.children["s3"] = []string{"s1", "s2"}, []string{"s4"}, []string{"s4"}
	return f
}

func TestReadFinishesParentsBeforeChildren(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := resharded()
		f.page = 1
		f.listed = []string{"s4", "s3", "s2", "s1", "s0"}
		var order []string
		w := tap.Window{From: time.Now(), Until: time.Now().Add(time.Second)}
		if err := tap.New(f).Read(t.Context(), "d.orders", w, func(r tap.Record) error {
			order = append(order, string(r.Body))
			return nil
		}); err != nil || len(order) != 10 {
			t.Fatalf("Read gave %q, %v", order, err)
		}
		for child, parents := range map[string][]string{"s1": {"s0"}, "s2": {"s0"}, "s4": {"s2", "s3"}} {
			for _, parent := range parents {
				if slices.Index(order, child+" first") < slices.Index(order, parent+" second") {
					t.Errorf("Read gave %q, want %s before %s", order, parent, child)
				}
			}
		}
	})
}

// TestReadContinuesExactly interrupts a reading after each number of records, and
// continues it with the position of each shard.
func TestReadContinuesExactly(t *testing.T) {
	t.Parallel()
	enough := errors.New("enough")
	for stop := 1; stop <= 10; stop++ {
		synctest.Test(t, func(t *testing.T) {
			f := resharded()
			w := tap.Window{From: time.Now(), Until: time.Now().Add(time.Second), After: make(map[string]string)}
			var got []string
			limit := stop
			each := func(r tap.Record) error {
				got = append(got, string(r.Body))
				w.After[r.Shard] = r.Sequence
				if len(got) == limit {
					return enough
				}
				return nil
			}
			first := w
			first.After = nil
			if err := tap.New(f).Read(t.Context(), "d.orders", first, each); !errors.Is(err, enough) {
				t.Fatalf("Read = %v, want the error of each", err)
			}
			limit = 0
			second := w
			second.After = maps.Clone(w.After)
			if err := tap.New(f).Read(t.Context(), "d.orders", second, each); err != nil {
				t.Fatalf("Read after %v: %v", second.After, err)
			}
			slices.Sort(got)
			want := []string{"s0 first", "s0 second", "s1 first", "s1 second", "s2 first", "s2 second", "s3 first", "s3 second", "s4 first", "s4 second"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("after %v: records of both readings differ (-want +got):\n%s", second.After, diff)
			}
		})
	}
}

// TestReadSkipsTheParentsOfAPosition has a position in a child alone: an earlier reading
// began with the child, or its parents had no records.
func TestReadSkipsTheParentsOfAPosition(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := resharded()
		got := read(t, f, tap.Window{Until: time.Now().Add(time.Second), After: map[string]string{"s4": "0"}})
		want := []string{"s1 s1 first", "s1 s1 second", "s4 s4 second"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("records differ (-want +got):\n%s", diff)
		}
	})
}

func TestReadRefusesPositionsOfAnotherStream(t *testing.T) {
	t.Parallel()
	err := tap.New(newFake("s0")).Read(t.Context(), "d.orders", tap.Window{After: map[string]string{"s9": "1"}}, func(tap.Record) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "none of the shards s9") {
		t.Errorf("Read = %v, want an error that names the shard", err)
	}
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
