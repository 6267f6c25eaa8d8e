package sink_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/google/go-cmp/cmp"
)

func TestCallsAreAsFullAsTheLimitsAllow(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		limits  sink.Limits
		entries []sink.Entry
		want    []int
	}{
		{"nothing", sink.KinesisLimits, nil, []int{}},
		{"one", sink.KinesisLimits, numbered(1), []int{1}},
		{"the entries of one call", sink.KinesisLimits, numbered(500), []int{500}},
		{"one more", sink.KinesisLimits, numbered(501), []int{500, 1}},
		{"two calls and a rest", sink.FirehoseLimits, numbered(1234), []int{500, 500, 234}},
		{"the bytes of one call", sink.Limits{Entries: 9, CallBytes: 10, EntryBytes: 9}, sized(5, 5), []int{2}},
		{"a byte more", sink.Limits{Entries: 9, CallBytes: 10, EntryBytes: 9}, sized(5, 6), []int{1, 1}},
		{"in order, not packed", sink.Limits{Entries: 9, CallBytes: 10, EntryBytes: 9}, sized(4, 9, 4, 4, 2), []int{1, 1, 3}},
		{"entries of the largest size", sink.KinesisLimits, sized(1<<20, 1<<20, 1<<20, 1<<20, 1<<20, 1<<20), []int{5, 1}},
		{"the same to Firehose", sink.FirehoseLimits, sized(1_024_000, 1_024_000, 1_024_000, 1_024_000, 1_024_000), []int{4, 1}},
		{"no bounds", sink.Limits{}, numbered(1001), []int{1001}},
		{"settings", sink.Limits{Entries: 2}, numbered(5), []int{2, 2, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var service script
			w := sink.Writer{Service: &service, Limits: tt.limits}
			got := w.Put(t.Context(), "datasink.orders", tt.entries)
			if diff := cmp.Diff(sink.Result{Calls: len(tt.want)}, got); diff != "" {
				t.Errorf("result differs (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, service.sizes()); diff != "" {
				t.Errorf("sizes of calls differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestServiceGetsStreamAndEntriesAsTheyAre(t *testing.T) {
	t.Parallel()
	entries := []sink.Entry{{PartitionKey: "a", Data: []byte("1")}, {PartitionKey: "b"}, {Data: []byte{0, 0xff}}}
	var got []sink.Entry
	w := sink.Writer{Limits: sink.KinesisLimits, Service: fakeService{func(_ context.Context, stream string, call []sink.Entry) ([]sink.Failure, error) {
		if stream != "datasink.orders" {
			t.Errorf("stream = %q, want datasink.orders", stream)
		}
		got = append(got, call...)
		return nil, nil
	}}}
	w.Put(t.Context(), "datasink.orders", entries)
	if diff := cmp.Diff(entries, got); diff != "" {
		t.Errorf("entries differ (-want +got):\n%s", diff)
	}
}

func TestEntryOverTheLimitIsInvalidWithoutACall(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("s3cr3t", 2)
	for _, tt := range []struct {
		name   string
		limits sink.Limits
		want   string
	}{
		{"of an entry", sink.Limits{Entries: 9, CallBytes: 100, EntryBytes: 17}, "entry 1 of 18 bytes (partition key 6, data 12): over the limit of 17 bytes"},
		{"of a call", sink.Limits{Entries: 9, CallBytes: 17, EntryBytes: 100}, "entry 1 of 18 bytes (partition key 6, data 12): over the limit of 17 bytes"},
		{"of a call alone", sink.Limits{CallBytes: 17}, "entry 1 of 18 bytes (partition key 6, data 12): over the limit of 17 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var service script
			w := sink.Writer{Service: &service, Limits: tt.limits}
			small := sink.Entry{PartitionKey: "k", Data: []byte("0123456789abcdef")} // at the limit
			got := w.Put(t.Context(), "s", []sink.Entry{small, {PartitionKey: secret[:6], Data: []byte(secret)}})
			want := sink.Result{Calls: 1, Invalid: []sink.Invalid{{Index: 1, Reason: tt.want}}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("result differs (-want +got):\n%s", diff)
			}
			service.takenOnce(t, []sink.Entry{small})
		})
	}
	t.Run("and no call for it alone", func(t *testing.T) {
		t.Parallel()
		var service script
		w := sink.Writer{Service: &service, Limits: sink.FirehoseLimits}
		got := w.Put(t.Context(), "s", sized(1_024_001))
		if got.Calls != 0 || len(got.Invalid) != 1 || len(got.Left) != 0 || got.Err != nil {
			t.Errorf("result = %+v, want one invalid entry and no call", got)
		}
	})
}

func TestOnlyFailedEntriesAreSentAgainAndCallsAreToppedUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := script{answers: []answer{
			refuses(errUnknown, 1, 3),
			refuses(errUnknown, 0, 4), // "1" again, and "7"
			all,
			refuses(errThrottled, 0),
		}}
		w := sink.Writer{Service: &service, Limits: sink.Limits{Entries: 5}}
		entries := numbered(12)
		got := w.Put(t.Context(), "s", entries)
		want := [][]string{
			{"0", "1", "2", "3", "4"},
			{"1", "3", "5", "6", "7"},
			{"1", "7", "8", "9", "10"},
			{"11"},
			{"11"},
		}
		if diff := cmp.Diff(want, service.calls); diff != "" {
			t.Errorf("calls differ (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(sink.Result{Calls: 5, Retried: 5, Throttled: 1}, got); diff != "" {
			t.Errorf("result differs (-want +got):\n%s", diff)
		}
		service.takenOnce(t, entries)
	})
}

func TestThrottledEntriesGoBehindAllOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := script{answers: []answer{
			refuses(errThrottled, 0, 2),
			func([]sink.Entry) ([]sink.Failure, error) {
				return []sink.Failure{{Index: 0, Err: errUnknown}, {Index: 1, Err: errThrottled}}, nil
			},
			fails(errThrottled), // a throttled call stays in front
		}}
		w := sink.Writer{Service: &service, Limits: sink.Limits{Entries: 3}}
		entries := numbered(8)
		got := w.Put(t.Context(), "s", entries)
		want := [][]string{
			{"0", "1", "2"},
			{"3", "4", "5"},
			{"3", "6", "7"},
			{"3", "6", "7"},
			{"0", "2", "4"},
		}
		if diff := cmp.Diff(want, service.calls); diff != "" {
			t.Errorf("calls differ (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(sink.Result{Calls: 5, Retried: 7, Throttled: 6}, got); diff != "" {
			t.Errorf("result differs (-want +got):\n%s", diff)
		}
		service.takenOnce(t, entries)
	})
}

// hotShard throttles the entries of one partition key.
type hotShard struct {
	key   string
	keys  map[string][]string // partition keys of the calls, by data
	taken map[string]int
}

func (s *hotShard) Put(_ context.Context, _ string, call []sink.Entry) ([]sink.Failure, error) {
	var failures []sink.Failure
	for i, e := range call {
		s.keys[string(e.Data)] = append(s.keys[string(e.Data)], e.PartitionKey)
		if e.PartitionKey == s.key {
			failures = append(failures, sink.Failure{Index: i, Err: errThrottled})
		} else {
			s.taken[string(e.Data)]++
		}
	}
	return failures, nil
}

func TestAThrottledEntryForAnyShardGetsANewKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const hot = "019ab1c2-7e5f-7cc1-98c4-dc0c0c07398f"
		service := hotShard{key: hot, keys: make(map[string][]string), taken: make(map[string]int)}
		w := sink.Writer{Service: &service, Limits: sink.Limits{Entries: 2, CallBytes: 100}, MaxAttempts: 3}
		entries := []sink.Entry{
			{PartitionKey: hot, Data: []byte("of the client")},
			{PartitionKey: hot, AnyShard: true, Data: []byte("any")},
			{PartitionKey: "cold", AnyShard: true, Data: []byte("other")},
		}
		got := w.Put(t.Context(), "s", entries)
		if diff := cmp.Diff([]int{0}, got.Left); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[string]int{"any": 1, "other": 1}, service.taken); diff != "" {
			t.Errorf("taken entries (-want +got):\n%s", diff)
		}
		for _, key := range service.keys["of the client"] {
			if key != hot {
				t.Errorf("the client's key became %q", key)
			}
		}
		if keys := service.keys["any"]; len(keys) != 2 || keys[0] != hot || len(keys[1]) != 16 {
			t.Errorf("keys of the entry for any shard: %q, want its own and then one of 16 characters", keys)
		}
		if entries[1].PartitionKey != hot {
			t.Error("Put changed the caller's entry")
		}
	})
}

func TestToppedUpCallsKeepTheByteLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := script{answers: []answer{refuses(errUnknown, 0, 1)}}
		w := sink.Writer{Service: &service, Limits: sink.Limits{Entries: 9, CallBytes: 10, EntryBytes: 9}}
		w.Put(t.Context(), "s", sized(2, 4, 4, 5, 4))
		// 2+4+4 first; then 2+4, for 5 more would be 11; then 5+4.
		if diff := cmp.Diff([]int{3, 2, 2}, service.sizes()); diff != "" {
			t.Errorf("sizes of calls differ (-want +got):\n%s", diff)
		}
	})
}

func TestFailedCallIsSentAgainWhole(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		err  error
		want sink.Result
	}{
		{"throttled", errThrottled, sink.Result{Calls: 3, Retried: 3, Throttled: 3}},
		{"anything else", errUnknown, sink.Result{Calls: 3, Retried: 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				service := script{answers: []answer{fails(tt.err)}}
				w := sink.Writer{Service: &service, Limits: sink.Limits{Entries: 3}}
				entries := numbered(4)
				got := w.Put(t.Context(), "s", entries)
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("result differs (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff([]int{3, 3, 1}, service.sizes()); diff != "" {
					t.Errorf("sizes of calls differ (-want +got):\n%s", diff)
				}
				service.takenOnce(t, entries)
			})
		})
	}
}

func TestTimeoutAfterAcceptanceSendsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		taken := map[string]int{}
		calls := 0
		w := sink.Writer{Limits: sink.Limits{Entries: 2}, Service: fakeService{func(_ context.Context, _ string, call []sink.Entry) ([]sink.Failure, error) {
			for _, e := range call {
				taken[string(e.Data)]++
			}
			if calls++; calls == 1 { // the client's own time-out, not the context's
				return nil, fmt.Errorf("request send failed: %w", context.DeadlineExceeded)
			}
			return nil, nil
		}}}
		got := w.Put(t.Context(), "s", numbered(4))
		if diff := cmp.Diff(sink.Result{Calls: 3, Retried: 2}, got); diff != "" {
			t.Errorf("result differs (-want +got):\n%s", diff)
		}
		want := map[string]int{"0": 2, "1": 2, "2": 1, "3": 1}
		if diff := cmp.Diff(want, taken); diff != "" {
			t.Errorf("taken entries differ (-want +got):\n%s", diff)
		}
	})
}

func TestAnswerThatDoesNotFitTheCallFailsIt(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]sink.Failure{
		"beyond the call": {Index: 3, Err: errThrottled},
		"before the call": {Index: -1, Err: errThrottled},
		"without a cause": {Index: 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := script{answers: []answer{func([]sink.Entry) ([]sink.Failure, error) {
				return []sink.Failure{{Index: 1, Err: errInvalid}, failure}, nil
			}}}
			w := sink.Writer{Service: &service, Limits: sink.KinesisLimits, MaxAttempts: 1}
			got := w.Put(t.Context(), "s", numbered(3))
			if got.Err == nil || got.Throttled != 0 || len(got.Invalid) != 0 || !slices.Equal(got.Left, []int{0, 1, 2}) {
				t.Errorf("result = %+v, want all entries left", got)
			}
		})
	}
}

func TestFailuresNeedNoOrder(t *testing.T) {
	t.Parallel()
	service := script{answers: []answer{refuses(errUnknown, 4, 0, 4, 2)}}
	w := sink.Writer{Service: &service, Limits: sink.KinesisLimits, BaseDelay: 1}
	w.Put(t.Context(), "s", numbered(5))
	if diff := cmp.Diff([]string{"0", "2", "4"}, service.calls[1]); diff != "" {
		t.Errorf("second call differs (-want +got):\n%s", diff)
	}
}

func TestWriterIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	taken := map[string]int{}
	calls := 0
	w := sink.Writer{Limits: sink.Limits{Entries: 7}, BaseDelay: 1, Service: fakeService{func(_ context.Context, stream string, call []sink.Entry) ([]sink.Failure, error) {
		mu.Lock()
		defer mu.Unlock()
		if calls++; calls%3 == 0 {
			return nil, errUnknown
		}
		for _, e := range call {
			taken[stream+string(e.Data)]++
		}
		return nil, nil
	}}}
	const streams, entries = 4, 50
	var group sync.WaitGroup
	for s := range streams {
		group.Go(func() {
			if got := w.Put(t.Context(), fmt.Sprint(s, "/"), numbered(entries)); got.Left != nil {
				t.Errorf("stream %d: left %v", s, got.Left)
			}
		})
	}
	group.Wait()
	for s := range streams {
		for i := range entries {
			if n := taken[fmt.Sprint(s, "/", i)]; n != 1 {
				t.Errorf("stream %d, entry %d: taken %d times, want once", s, i, n)
			}
		}
	}
}

// Refused is what the service has said about the entry in the last call with it.
func TestRefusedEntriesAreThoseWithAnAnswerOfTheirOwn(t *testing.T) {
	t.Parallel()
	one := refuses(errUnknown, 0, 2)
	for _, tt := range []struct {
		name    string
		answers []answer
		left    []int
		refused []int
	}{
		{"in the last call", []answer{one, refuses(errUnknown, 0, 1)}, []int{0, 2}, []int{0, 2}},
		{"one of them", []answer{one, refuses(errUnknown, 1)}, []int{2}, []int{2}},
		{"and accepted", []answer{one, all}, nil, nil},
		{"in the call before", []answer{one, fails(errUnknown)}, []int{0, 2, 3}, nil},
		{"in the call before, then throttled", []answer{one, refuses(errThrottled, 0, 1)}, []int{0, 2}, nil},
		{"in the call before, then refused with its call", []answer{one, fails(errInvalid), all, fails(errUnknown)}, []int{2, 3}, nil},
		{"with the whole call", []answer{fails(errUnknown), fails(errUnknown)}, []int{0, 1, 2, 3}, nil},
		{"throttled", []answer{all, refuses(errThrottled, 0)}, []int{3}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			last := len(tt.answers) - 1
			end := tt.answers[last]
			tt.answers[last] = func(call []sink.Entry) ([]sink.Failure, error) { cancel(); return end(call) }
			service := script{answers: tt.answers}
			w := sink.Writer{Service: &service, Limits: sink.Limits{Entries: 3}, BaseDelay: 1}
			got := w.Put(ctx, "s", numbered(4))
			if !slices.Equal(got.Left, tt.left) || !slices.Equal(got.Refused, tt.refused) {
				t.Errorf("left %v, refused %v, want %v and %v", got.Left, got.Refused, tt.left, tt.refused)
			}
		})
	}
}
