package drain_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/google/go-cmp/cmp"
)

func TestRecordsThatKinesisLeavesAreDeliveredLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		bodies := b.pushRecords(t, "orders", 10)
		first := true
		b.put = func(_ context.Context, _ string, entries []sink.Entry) sink.Result {
			if first {
				first = false
				return sink.Result{Left: []int{0, 7}, Err: errors.New("500")}
			}
			return sink.Result{}
		}
		b.sweep(t)
		if diff := cmp.Diff(bodies, sorted(b.delivered["d.orders"])); diff != "" {
			t.Errorf("delivered records differ (-want +got):\n%s", diff)
		}
		if s := b.summaries["orders"]; s.Forwarded != 10 || s.Left != 2 || s.Claimed != 12 {
			t.Errorf("summary = %+v, want 12 claimed, 10 forwarded, 2 left", s)
		}
	})
}

func TestRecordsThatCanNeverBeDeliveredAreDeadLetters(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	bodies := b.pushRecords(t, "orders", 4)
	b.push("orders", []byte("no envelope"))
	b.put = func(context.Context, string, []sink.Entry) sink.Result {
		return sink.Result{Invalid: []sink.Invalid{{Index: 2, Reason: "too odd"}}}
	}
	b.sweep(t)
	if diff := cmp.Diff([]string{"drainer orders no envelope", "drainer orders " + bodies[2]}, slices.Sorted(maps.Keys(b.dead))); diff != "" {
		t.Fatalf("dead letters (-want +got):\n%s", diff)
	}
	invalid := b.dead["drainer orders "+bodies[2]]
	if invalid.ReceivedAt.IsZero() || invalid.FailedAt.IsZero() {
		t.Errorf("times of the invalid record = %v and %v, want both", invalid.ReceivedAt, invalid.FailedAt)
	}
	invalid.ReceivedAt, invalid.FailedAt = time.Time{}, time.Time{}
	want := archive.DeadLetter{Stream: "orders", Reason: "too odd", ID: idOf(bodies[2]), Body: []byte(bodies[2])}
	if diff := cmp.Diff(want, invalid); diff != "" {
		t.Errorf("invalid record (-want +got):\n%s", diff)
	}
	if r := b.dead["drainer orders no envelope"]; !strings.Contains(r.Reason, "decoding envelope") || len(r.Body) > 0 {
		t.Errorf("dead letter of an undecodable envelope = %+v", r)
	}
	if got, want := b.state("orders"), "depth=0 claims=0 forwarded=3 dead=2 err=<nil>"; got != want {
		t.Errorf("queue: %s, want %s", got, want)
	}
	if !strings.Contains(b.log.String(), "records_put_aside") {
		t.Errorf("log %q does not name the dead letters", b.log.String())
	}
}

func TestUndecodableEnvelopesWaitForTheArchiveAndBlockNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *drain.Config) { o.ClaimRecords = 3 })
		b.push("orders", []byte("undecodable"))
		bodies := b.pushRecords(t, "orders", 9)
		b.archiveErr = errors.New("s3 is unreachable")
		b.sweep(t)
		if diff := cmp.Diff(bodies, sorted(b.delivered["d.orders"])); diff != "" {
			t.Errorf("delivered differ (-want +got):\n%s", diff)
		}
		if got, want := b.state("orders"), "depth=1 claims=0 forwarded=9 dead=0 err=<nil>"; got != want {
			t.Errorf("queue: %s, want the undecodable envelope in it: %s", got, want)
		}
		b.archiveErr = nil
		b.sweep(t)
		if got, want := b.state("orders"), "depth=0 claims=0 forwarded=9 dead=1 err=<nil>"; got != want {
			t.Errorf("queue when the archive works again: %s, want %s", got, want)
		}
	})
}

func TestAThrottledStreamBacksOffAndDelaysNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *drain.Config) { o.ClaimRecords, o.ScaleOutRecords, o.TotalClaims = 1, 10, 4 })
		b.pushRecords(t, "orders", 100)
		views := b.pushRecords(t, "page-views", 8)
		calls := 0
		b.put = func(_ context.Context, stream string, entries []sink.Entry) sink.Result {
			if stream != "d.orders" {
				return sink.Result{}
			}
			calls++
			return sink.Result{Left: []int{0}, Throttled: 1, Err: sink.ErrThrottled}
		}
		began := time.Now()
		b.sweep(t)
		if len(b.delivered["d.page-views"]) != len(views) {
			t.Errorf("page-views delivered %d, want %d", len(b.delivered["d.page-views"]), len(views))
		}
		if calls > 5 || b.most["orders"] > 1 {
			t.Errorf("%d puts and %d claims at once for a stream that accepts nothing, want few and one", calls, b.most["orders"])
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the invocation waited %v for a stream that accepts nothing", took)
		}
		if len(b.wakes) > 0 {
			t.Errorf("wake-ups %v, want none: a throttled stream does not scale out", b.wakes)
		}
		if got, want := b.state("orders"), "depth=100 claims=0 forwarded=0 dead=0 err=<nil>"; got != want {
			t.Errorf("queue: %s, want %s", got, want)
		}
	})
}

func TestNoClaimIsHeldPastTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *drain.Config) { o.ClaimRecords = 10 })
		b.pushRecords(t, "orders", 10_000)
		b.put = func(ctx context.Context, _ string, entries []sink.Entry) sink.Result {
			select {
			case <-time.After(time.Second):
				return sink.Result{}
			case <-ctx.Done():
				return sink.Result{Left: positions(len(entries)), Err: ctx.Err()}
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 55*time.Second)
		defer cancel()
		began := time.Now()
		if _, err := b.handler.Invoke(ctx, []byte(drain.SweepEvent)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 51*time.Second {
			t.Errorf("the invocation took %v of its 55s, want a margin", took)
		}
		state, _ := b.Inspect(t.Context(), "orders")
		if state.Claims != 0 || state.Depth+state.Forwarded != 10_000 || state.Depth == 0 {
			t.Errorf("queue: %s, want no claim, and the rest in the queue", b.state("orders"))
		}
		if diff := cmp.Diff([]string{"orders 1s"}, b.wakes); diff != "" {
			t.Errorf("wake-ups, want one successor (-want +got):\n%s", diff)
		}
	})
}

// slowQueue answers a claim after 1.6 s. A caller whose context ends before misses
// the answer.
type slowQueue struct{ *memoryQueue }

func (q slowQueue) Claim(ctx context.Context, stream, id string, lease time.Duration, maxRecords, maxBytes int) (queue.Claim, error) {
	c, err := q.memoryQueue.Claim(ctx, stream, id, lease, maxRecords, maxBytes)
	select {
	case <-time.After(1600 * time.Millisecond):
		return c, err
	case <-ctx.Done():
		return queue.Claim{}, ctx.Err()
	}
}

func TestAClaimWhoseAnswerComesLateIsReleased(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *drain.Config) { o.ClaimRecords, o.Queue = 10, slowQueue{o.Queue.(*memoryQueue)} })
		b.pushRecords(t, "orders", 10_000)
		ctx, cancel := context.WithTimeout(t.Context(), 55*time.Second)
		defer cancel()
		if _, err := b.handler.Invoke(ctx, []byte(drain.SweepEvent)); err != nil {
			t.Fatal(err)
		}
		if state, _ := b.Inspect(t.Context(), "orders"); state.Claims != 0 || state.Depth == 0 {
			t.Errorf("queue: %s, want no claim, and the rest in the queue", b.state("orders"))
		}
	})
}

func TestPutEndsBeforeTheLeaseExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *drain.Config) { o.Lease = 20 * time.Second })
		b.pushRecords(t, "orders", 1)
		b.put = func(ctx context.Context, _ string, _ []sink.Entry) sink.Result {
			deadline, ok := ctx.Deadline()
			if left := time.Until(deadline); !ok || left > 15*time.Second {
				t.Errorf("Put may take %v with a lease of 20s, want a quarter kept", left)
			}
			return sink.Result{}
		}
		b.sweep(t)
	})
}

func TestALostClaimIsLogged(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.pushRecords(t, "orders", 1)
	b.put = func(context.Context, string, []sink.Entry) sink.Result {
		b.memoryQueue.mu.Lock() // another drainer took the claim meanwhile
		clear(b.claims["orders"])
		b.memoryQueue.mu.Unlock()
		return sink.Result{}
	}
	b.sweep(t)
	if b.summaries["orders"].LostClaims != 1 || !strings.Contains(b.log.String(), "claims_lost") {
		t.Errorf("summary %+v and log %q, want the lost claim", b.summaries["orders"], b.log.String())
	}
}
