package drain_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/google/go-cmp/cmp"
)

func TestASweepForwardsAllRecords(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	orders, views := b.pushRecords(t, "orders", 1700), b.pushRecords(t, "page-views", 3)
	b.push("orders", encode(t, envelope.Record{Stream: "orders", ID: "id", PartitionKey: "mine", Body: []byte("keyed")}))
	b.sweep(t)
	if diff := cmp.Diff(sorted(append(orders, "keyed")), sorted(b.delivered["d.orders"])); diff != "" {
		t.Errorf("orders delivered differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(views, sorted(b.delivered["d.page-views"])); diff != "" {
		t.Errorf("page-views delivered differ (-want +got):\n%s", diff)
	}
	if got := b.keys["keyed"]; got != "mine" {
		t.Errorf("partition key %q, want the client's", got)
	}
	if got := b.keys["orders-0001"]; got != idOf("orders-0001") {
		t.Errorf("partition key %q of a record without one, want its id", got)
	}
	if got, want := b.state("orders"), "depth=0 claims=0 forwarded=1701 dead=0 err=<nil>"; got != want {
		t.Errorf("queue: %s, want %s", got, want)
	}
	if len(b.wakes) > 0 || b.log.Len() > 0 {
		t.Errorf("wake-ups %v and log %q, want none", b.wakes, b.log.String())
	}
}

func TestAWakeUpDrainsItsStreamOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.pushRecords(t, "orders", 3)
	b.pushRecords(t, "page-views", 3)
	response := b.wake(t, `{"stream":"orders"}`, `{"stream":"gone"}`, `not json`)
	if diff := cmp.Diff([]string{"2"}, response); diff != "" {
		t.Errorf("failed wake-ups differ (-want +got):\n%s", diff)
	}
	if len(b.delivered["d.orders"]) != 3 || len(b.delivered["d.page-views"]) != 0 {
		t.Errorf("delivered %v, want orders only", b.delivered)
	}
}

func TestRedisErrorsFailTheWakeUpAndTheSweep(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"Reclaim", "Claim", "Ack"} {
		t.Run(call, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				broken := func() *bench {
					b := newBench(t, nil)
					b.pushRecords(t, "orders", 3)
					b.fail = func(c, stream string) error {
						if c == call && stream == "orders" {
							return errors.New("redis is unreachable")
						}
						return nil
					}
					return b
				}
				if diff := cmp.Diff([]string{"0"}, broken().wake(t, `{"stream":"orders"}`)); diff != "" {
					t.Errorf("failed wake-ups differ (-want +got):\n%s", diff)
				}
				_, err := broken().handler.Invoke(t.Context(), []byte(drain.SweepEvent))
				if err == nil || !strings.Contains(err.Error(), "draining orders") {
					t.Errorf("sweep = %v, want an error that names the stream", err)
				}
			})
		})
	}
}

func TestAnEvictionPolicyThatDropsRecordsIsAnError(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]bool{"allkeys-lru": true, "noeviction": false, "volatile-lru": false, "": false} {
		b := newBench(t, nil)
		b.policy = policy
		b.sweep(t)
		if got := strings.Contains(b.log.String(), "eviction_policy_drops_records"); got != want {
			t.Errorf("policy %q: logged %v, want %v", policy, got, want)
		}
	}
}

func TestInspectAnswersForKnownAndOrphanQueues(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.pushRecords(t, "orders", 2)
	b.push("gone", []byte("x"))
	out, err := b.handler.Invoke(t.Context(), []byte(drain.InspectEvent))
	if err != nil {
		t.Fatal(err)
	}
	var got drain.Inspection
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	want := drain.Inspection{
		Streams: map[string]queue.State{"orders": {Depth: 2}, "page-views": {}}, Orphans: map[string]queue.State{"gone": {Depth: 1}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("inspection differs (-want +got):\n%s", diff)
	}
}

func TestAnUnknownEventIsAnError(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, event := range []string{"", "[]", "{}", `{"Records":7}`, `{"sweep":"yes"}`} {
		if _, err := b.handler.Invoke(t.Context(), []byte(event)); err == nil {
			t.Errorf("Invoke(%q): no error", event)
		}
	}
}
