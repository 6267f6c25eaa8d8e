package drain_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// One of eight workers finds out whether the queue stays empty. If each did, a
// sweep of many short queues would mostly make empty claims. A few workers may have
// started their claims already.
func TestFewWorkersFindTheQueueEmpty(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *drain.Config) { o.ClaimRecords = 1 })
		b.put = func(context.Context, string, []sink.Entry) sink.Result {
			time.Sleep(time.Millisecond)
			return sink.Result{}
		}
		claims := 0
		b.fail = func(call, stream string) error {
			if call == "Claim" && stream == "orders" {
				claims++
			}
			return nil
		}
		const records = 100
		b.pushRecords(t, "orders", records)
		b.sweep(t)
		if got := len(b.delivered["d.orders"]); got != records {
			t.Errorf("%d records delivered, want %d", got, records)
		}
		if b.most["orders"] != 8 || claims > records+4 {
			t.Errorf("%d claims with up to %d in flight, want %d or a few more, with up to 8", claims, b.most["orders"], records+1)
		}
	})
}

// The summaries of the claims are those of the invocation in parts, also of a claim that
// could not be settled.
func TestEachClaimIsObserved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var claims []drain.Summary
		b := newBench(t, func(o *drain.Config) {
			o.ClaimRecords, o.ClaimsInFlight = 2, 1
			o.ObserveClaim = func(s drain.Summary) { claims = append(claims, s) }
		})
		b.pushRecords(t, "orders", 4)
		b.push("orders", []byte("no envelope"))
		b.fail = func(call, _ string) error {
			if call == "Ack" && len(claims) == 2 {
				return errors.New("the link is down")
			}
			return nil
		}
		time.Sleep(time.Second)
		if _, err := b.handler.Invoke(t.Context(), []byte(`{"Records":[{"messageId":"1","body":"{\"stream\":\"orders\"}"}]}`)); err != nil {
			t.Fatal(err)
		}
		want := []drain.Summary{
			{Stream: "orders", Claimed: 2, Forwarded: 2, ForwardedBytes: 22, MaxAge: time.Second},
			{Stream: "orders", Claimed: 2, Forwarded: 2, ForwardedBytes: 22, MaxAge: time.Second},
			{Stream: "orders", Claimed: 1, DeadLettered: 1},
		}
		if diff := cmp.Diff(want, claims); diff != "" {
			t.Errorf("claims (-want +got):\n%s", diff)
		}
		sum := drain.Summary{Stream: "orders", Claimed: 5, Forwarded: 4, ForwardedBytes: 44, DeadLettered: 1, MaxAge: time.Second}
		if diff := cmp.Diff(sum, b.summaries["orders"], cmpopts.IgnoreFields(drain.Summary{}, "Depth", "Err")); diff != "" {
			t.Errorf("summary of the invocation (-want +got):\n%s", diff)
		}
	})
}

// The last worker drains the records that arrive during the last claims.
func TestRecordsThatArriveAtTheEndAreDrained(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *drain.Config) { o.ClaimRecords = 1 })
		puts := 0
		b.put = func(context.Context, string, []sink.Entry) sink.Result {
			b.mu.Lock()
			puts++
			late := puts == 30
			b.mu.Unlock()
			time.Sleep(time.Millisecond)
			if late {
				b.pushRecords(t, "orders", 20)
			}
			return sink.Result{}
		}
		b.pushRecords(t, "orders", 30)
		b.sweep(t)
		if state := b.state("orders"); state != "depth=0 claims=0 forwarded=50 dead=0 err=<nil>" {
			t.Errorf("after the sweep: %s, want all 50 forwarded", state)
		}
	})
}
