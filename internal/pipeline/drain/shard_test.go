package drain_test

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

	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/google/go-cmp/cmp"
)

// shards is a Kinesis stream of which one shard, that of the key "hot", accepts few
// records a second. Each call takes 10 ms.
type shards struct {
	mu        sync.Mutex
	perSecond int
	second    time.Time
	used      int
	last      map[string]time.Time // when the last record of a key's first letter was accepted
	accepted  map[string]int
}

func (s *shards) Put(_ context.Context, _ string, entries []sink.Entry) ([]sink.Failure, error) {
	time.Sleep(10 * time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if second := now.Truncate(time.Second); second != s.second {
		s.second, s.used = second, 0
	}
	var failures []sink.Failure
	for i, e := range entries {
		kind := "other"
		if e.PartitionKey == "hot" {
			kind = "hot"
			if s.used++; s.used > s.perSecond {
				failures = append(failures, sink.Failure{Index: i, Err: sink.ErrThrottled})
				continue
			}
		}
		s.accepted[kind]++
		s.last[kind] = now
	}
	return failures, nil
}

func TestAHotKeyDoesNotHoldBackOtherShards(t *testing.T) {
	t.Parallel()
	for _, perSecond := range []int{1000, 0} {
		t.Run(fmt.Sprint(perSecond, " a second"), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const hot, others = 20_000, 500
				service := &shards{perSecond: perSecond, last: make(map[string]time.Time), accepted: make(map[string]int)}
				b := newBench(t, func(o *drain.Config) {
					o.Kinesis = drain.KinesisWriter(service, o.Drainer)
				})
				for i := range hot + others {
					r := envelope.Record{Stream: "orders", ReceivedAt: time.Now(), ID: fmt.Sprintf("%036d", i), Body: []byte("body")}
					if i < hot {
						r.PartitionKey = "hot"
					}
					b.push("orders", encode(t, r))
				}
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if _, err := b.handler.Invoke(ctx, []byte(drain.SweepEvent)); err != nil {
					t.Fatal(err)
				}
				if service.accepted["other"] != others {
					t.Fatalf("%d of %d records of other shards were delivered", service.accepted["other"], others)
				}
				if took := service.last["other"].Sub(began); took > 15*time.Second {
					t.Errorf("the records behind the hot key took %v, want 15 s at most: the hot ones alone take 20 s", took)
				}
				if perSecond > 0 && service.accepted["hot"] < hot*3/4 {
					t.Errorf("%d of %d hot records were delivered, want what the shard accepts", service.accepted["hot"], hot)
				}
				if perSecond > 0 && service.accepted["hot"] < hot && len(b.wakes) == 0 {
					t.Error("hot records are left, and no successor was woken")
				}
				if perSecond == 0 && time.Since(began) > 30*time.Second {
					t.Errorf("a shard that accepts nothing kept the drainer for %v", time.Since(began))
				}
			})
		})
	}
}

// Only a key that the client did not choose can be replaced.
func TestAnyShardIsForRecordsWithoutAKey(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	got := make(map[string]bool)
	b.put = func(_ context.Context, _ string, entries []sink.Entry) sink.Result {
		for _, e := range entries {
			got[e.PartitionKey] = e.AnyShard
		}
		return sink.Result{}
	}
	id := strings.Repeat("i", 36)
	for _, r := range []envelope.Record{{ID: id}, {ID: id, PartitionKey: "chosen-by-a-client"}, {ID: "short"}} {
		r.Stream, r.Body = "orders", []byte("body")
		b.push("orders", encode(t, r))
	}
	b.sweep(t)
	if diff := cmp.Diff(map[string]bool{id: true, "chosen-by-a-client": false, "short": false}, got); diff != "" {
		t.Errorf("partition keys and whether they may change (-want +got):\n%s", diff)
	}
}

// When Kinesis refuses every record of a call alone, the call may be at fault: the
// records wait, for an hour at most.
func TestDoubtfulRecordsWaitForAnHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		bodies := b.pushRecords(t, "orders", 3)
		b.put = func(_ context.Context, _ string, entries []sink.Entry) sink.Result {
			r := sink.Result{Left: positions(len(entries)), Err: errors.New("refused")}
			for i := range entries {
				r.Doubtful = append(r.Doubtful, sink.Invalid{Index: i, Reason: "refused by the service"})
			}
			return r
		}
		b.sweep(t)
		if got, want := b.state("orders"), "depth=3 claims=0 forwarded=0 dead=0 err=<nil>"; got != want {
			t.Errorf("queue: %s, want %s", got, want)
		}
		if !strings.Contains(b.log.String(), "drain_failed") {
			t.Errorf("log %q, want an error", b.log.String())
		}
		time.Sleep(sink.DoubtfulAge)
		b.sweep(t)
		if got, want := b.state("orders"), "depth=0 claims=0 forwarded=0 dead=3 err=<nil>"; got != want {
			t.Errorf("queue an hour later: %s, want %s", got, want)
		}
		var want []string
		for _, body := range bodies {
			want = append(want, "drainer orders "+body)
		}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(b.dead))); diff != "" {
			t.Errorf("dead letters (-want +got):\n%s", diff)
		}
	})
}
