package drain_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/data-sink/data-sink/internal/archive"
	"github.com/data-sink/data-sink/internal/drain"
	"github.com/data-sink/data-sink/internal/envelope"
	"github.com/data-sink/data-sink/internal/queue"
	"github.com/data-sink/data-sink/internal/queue/redistest"
	"github.com/data-sink/data-sink/internal/sink"
	"github.com/data-sink/data-sink/internal/stream"
	"github.com/google/go-cmp/cmp"
)

// bench is a drainer with everything around it in memory.
type bench struct {
	*memoryQueue
	handler *drain.Handler

	mu        sync.Mutex
	delivered map[string][]string // AWS name, bodies
	keys      map[string]string   // body, partition key
	aside     map[string]archive.Aside
	wakes     []string
	summaries map[string]drain.Summary
	log       bytes.Buffer
	// put, if set, decides instead of delivering all.
	put func(ctx context.Context, stream string, entries []sink.Entry) sink.Result
	// asideErr, if set, fails PutAside.
	asideErr error
}

func (b *bench) Put(ctx context.Context, stream string, entries []sink.Entry) sink.Result {
	var r sink.Result
	if b.put != nil {
		r = b.put(ctx, stream, entries)
	}
	failed := slices.Clone(r.Left)
	for _, invalid := range r.Invalid {
		failed = append(failed, invalid.Index)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, e := range entries {
		if !slices.Contains(failed, i) {
			b.delivered[stream] = append(b.delivered[stream], string(e.Data))
			b.keys[string(e.Data)] = e.PartitionKey
		}
	}
	return r
}

func (b *bench) PutAside(_ context.Context, stage, streamName, name string, records []archive.Aside) (string, error) {
	if b.asideErr != nil {
		return "", b.asideErr
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range records {
		b.aside[stage+" "+streamName+" "+string(r.Body)+string(r.Envelope)] = r
	}
	return name, nil
}

func (b *bench) Wake(_ context.Context, stream string, delay time.Duration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wakes = append(b.wakes, fmt.Sprint(stream, " ", delay))
	return nil
}

// newBench returns a drainer of the streams orders and page-views.
func newBench(t *testing.T, change func(*drain.Options)) *bench {
	t.Helper()
	set, err := stream.Parse([]byte(`{"streams":[{"name":"orders"},{"name":"page-views"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{
		memoryQueue: newMemoryQueue(), delivered: make(map[string][]string), keys: make(map[string]string),
		aside: make(map[string]archive.Aside), summaries: make(map[string]drain.Summary),
	}
	o := drain.Options{
		Deployment: "d", Streams: set, Queue: b.memoryQueue, Sink: b, Archive: b, Waker: b,
		Log: slog.New(slog.NewTextHandler(&b.log, nil)),
		Observe: func(_ context.Context, s drain.Summary) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.summaries[s.Stream] = s
		},
	}
	if change != nil {
		change(&o)
	}
	b.handler = drain.New(o)
	return b
}

func (b *bench) sweep(t *testing.T) {
	t.Helper()
	if _, err := b.handler.Invoke(t.Context(), []byte(drain.SweepEvent)); err != nil {
		t.Fatalf("sweep: %v", err)
	}
}

func (b *bench) pushRecords(t *testing.T, name string, n int) []string {
	t.Helper()
	var bodies []string
	for i := range n {
		body := fmt.Sprintf("%s-%04d", name, i)
		bodies = append(bodies, body)
		b.push(name, encode(t, envelope.Record{Stream: name, ReceivedAt: time.Now(), ID: "id-" + body, Body: []byte(body)}))
	}
	return bodies
}

func encode(t *testing.T, r envelope.Record) []byte {
	t.Helper()
	e, err := envelope.Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

func TestSweepForwardsEverything(t *testing.T) {
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
	if b.keys["keyed"] != "mine" || b.keys["orders-0001"] != "id-orders-0001" {
		t.Errorf("partition keys %q and %q, want the client's, else the id", b.keys["keyed"], b.keys["orders-0001"])
	}
	if got, want := b.state("orders"), "depth=0 claims=0 forwarded=1701 aside=0 err=<nil>"; got != want {
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

// wake invokes the drainer with wake-ups and returns the ids that failed; each
// wake-up's id is its position.
func (b *bench) wake(t *testing.T, bodies ...string) []string {
	t.Helper()
	var e events.SQSEvent
	for i, body := range bodies {
		e.Records = append(e.Records, events.SQSMessage{MessageId: fmt.Sprint(i), Body: body})
	}
	in, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	out, err := b.handler.Invoke(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	var response events.SQSEventResponse
	if err := json.Unmarshal(out, &response); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, f := range response.BatchItemFailures {
		ids = append(ids, f.ItemIdentifier)
	}
	return ids
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
							return errors.New("redis is away")
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

func TestWhatKinesisLeavesGoesBackAndIsDelivered(t *testing.T) {
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
			t.Errorf("delivered differ: each once, please (-want +got):\n%s", diff)
		}
		if s := b.summaries["orders"]; s.Forwarded != 10 || s.Left != 2 || s.Claimed != 12 {
			t.Errorf("summary = %+v, want 12 claimed, 10 forwarded, 2 left", s)
		}
	})
}

func TestWhatCanNeverBeDeliveredIsPutAside(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	bodies := b.pushRecords(t, "orders", 4)
	b.push("orders", []byte("no envelope"))
	b.put = func(context.Context, string, []sink.Entry) sink.Result {
		return sink.Result{Invalid: []sink.Invalid{{Index: 2, Reason: "too odd"}}}
	}
	b.sweep(t)
	if diff := cmp.Diff([]string{"drainer orders no envelope", "drainer orders " + bodies[2]}, slices.Sorted(maps.Keys(b.aside))); diff != "" {
		t.Fatalf("put aside differs (-want +got):\n%s", diff)
	}
	if r := b.aside["drainer orders "+bodies[2]]; r.Reason != "too odd" || r.ID != "id-"+bodies[2] || r.ReceivedAt.IsZero() || r.FailedAt.IsZero() {
		t.Errorf("invalid record put aside = %+v", r)
	}
	if r := b.aside["drainer orders no envelope"]; !strings.Contains(r.Reason, "decoding envelope") || len(r.Body) > 0 {
		t.Errorf("undecodable envelope put aside = %+v", r)
	}
	if got, want := b.state("orders"), "depth=0 claims=0 forwarded=3 aside=2 err=<nil>"; got != want {
		t.Errorf("queue: %s, want %s", got, want)
	}
	if !strings.Contains(b.log.String(), "records_put_aside") {
		t.Errorf("log %q does not say that records were put aside", b.log.String())
	}
}

func TestPoisonWaitsWhenTheArchiveIsAwayAndBlocksNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *drain.Options) { o.ClaimRecords = 3 })
		b.push("orders", []byte("poison"))
		bodies := b.pushRecords(t, "orders", 9)
		b.asideErr = errors.New("s3 is away")
		b.sweep(t)
		if diff := cmp.Diff(bodies, sorted(b.delivered["d.orders"])); diff != "" {
			t.Errorf("delivered differ (-want +got):\n%s", diff)
		}
		if got, want := b.state("orders"), "depth=1 claims=0 forwarded=9 aside=0 err=<nil>"; got != want {
			t.Errorf("queue: %s, want the poison in it: %s", got, want)
		}
		b.asideErr = nil
		b.sweep(t)
		if got, want := b.state("orders"), "depth=0 claims=0 forwarded=9 aside=1 err=<nil>"; got != want {
			t.Errorf("queue after the archive's return: %s, want %s", got, want)
		}
	})
}

func TestAThrottledStreamBacksOffAndSlowsDownNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *drain.Options) { o.ClaimRecords, o.ScaleOutRecords, o.TotalClaims = 1, 10, 4 })
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
			t.Errorf("%d puts and %d claims at once for a stream that takes nothing, want few and one", calls, b.most["orders"])
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the invocation waited %v for a stream that takes nothing", took)
		}
		if len(b.wakes) > 0 {
			t.Errorf("wake-ups %v, want none: a throttled stream does not scale out", b.wakes)
		}
		if got, want := b.state("orders"), "depth=100 claims=0 forwarded=0 aside=0 err=<nil>"; got != want {
			t.Errorf("queue: %s, want %s", got, want)
		}
	})
}

func TestClaimsInFlightGrowToTheirBound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *drain.Options) { o.ClaimRecords, o.ClaimsInFlight, o.TotalClaims = 1, 5, 100 })
		b.pushRecords(t, "orders", 200)
		b.put = func(context.Context, string, []sink.Entry) sink.Result {
			time.Sleep(10 * time.Millisecond)
			return sink.Result{}
		}
		b.sweep(t)
		if b.most["orders"] != 5 {
			t.Errorf("%d claims at once, want 5", b.most["orders"])
		}
	})
}

func TestClaimsOfAllStreamsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *drain.Options) { o.ClaimRecords, o.ClaimsInFlight, o.TotalClaims = 1, 8, 3 })
		b.pushRecords(t, "orders", 50)
		b.pushRecords(t, "page-views", 50)
		var mu sync.Mutex
		now, most := 0, 0
		b.put = func(context.Context, string, []sink.Entry) sink.Result {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(10 * time.Millisecond)
			mu.Lock()
			now--
			mu.Unlock()
			return sink.Result{}
		}
		b.sweep(t)
		if most != 3 {
			t.Errorf("%d claims of all streams at once, want 3", most)
		}
	})
}

func TestNothingIsHeldPastTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *drain.Options) { o.ClaimRecords = 10 })
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
			t.Errorf("wake-ups differ: one successor, please (-want +got):\n%s", diff)
		}
	})
}

func TestPutEndsBeforeTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *drain.Options) { o.Lease = 20 * time.Second })
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

func TestABacklogWakesMoreDrainersInProportion(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		depth  int
		others []string
		want   int
	}{
		{"under the threshold", 100, nil, 0},
		{"three times", 301, nil, 2},
		{"over the cap", 5000, nil, 4},
		{"others work already", 301, []string{"zz"}, 1},
		{"another decides", 301, []string{"00"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, func(o *drain.Options) {
					o.ClaimRecords, o.ClaimsInFlight, o.ScaleOutRecords, o.MaxDrainers = 1, 1, 100, 5
				})
				b.others = tt.others
				b.pushRecords(t, "orders", tt.depth)
				// Nothing but the first claims is delivered, so that what is
				// counted is one decision.
				n := 0
				b.put = func(ctx context.Context, _ string, entries []sink.Entry) sink.Result {
					if n++; n > 2 {
						return sink.Result{Left: positions(len(entries)), Err: errors.New("enough")}
					}
					time.Sleep(time.Millisecond)
					return sink.Result{}
				}
				b.sweep(t)
				got := 0
				for _, w := range b.wakes {
					if w == "orders 0s" {
						got++
					}
				}
				if got != tt.want {
					t.Errorf("woke %d drainers, want %d: %v", got, tt.want, b.wakes)
				}
			})
		})
	}
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

func TestOrphansArePutAsideWhenTheyAreOldEnough(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	old := envelope.Record{Stream: "gone", ReceivedAt: time.Now().Add(-2 * time.Minute), ID: "1", Body: []byte("old")}
	b.push("gone", encode(t, old), []byte("no envelope"))
	b.push("new", encode(t, envelope.Record{Stream: "new", ReceivedAt: time.Now(), ID: "2", Body: []byte("young")}))
	q := agedQueue{b.memoryQueue}
	b = rebench(t, b, func(o *drain.Options) { o.Queue = q })
	b.sweep(t)
	if diff := cmp.Diff([]string{"drainer gone no envelope", "drainer gone old"}, slices.Sorted(maps.Keys(b.aside))); diff != "" {
		t.Errorf("put aside differs (-want +got):\n%s", diff)
	}
	if r := b.aside["drainer gone old"]; r.Reason != "the stream is not in streams.json" {
		t.Errorf("reason = %q", r.Reason)
	}
	if got, want := b.state("new"), "depth=1 claims=0 forwarded=0 aside=0 err=<nil>"; got != want {
		t.Errorf("the young queue of an unknown stream: %s, want it left alone: %s", got, want)
	}
}

// agedQueue tells the age of the first envelope, as the real queue does.
type agedQueue struct{ *memoryQueue }

func (q agedQueue) Inspect(ctx context.Context, stream string) (queue.State, error) {
	s, err := q.memoryQueue.Inspect(ctx, stream)
	if waiting := q.waiting[stream]; len(waiting) > 0 {
		s.OldestReceivedAt, _ = envelope.ReceivedAt(waiting[0])
	}
	return s, err
}

func rebench(t *testing.T, old *bench, change func(*drain.Options)) *bench {
	b := newBench(t, change)
	b.memoryQueue = old.memoryQueue
	return b
}

func TestOrphansStayWhenTheArchiveIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.push("gone", []byte("no envelope"))
		b.asideErr = errors.New("s3 is away")
		if _, err := b.handler.Invoke(t.Context(), []byte(drain.SweepEvent)); err == nil || !strings.Contains(err.Error(), `"gone"`) {
			t.Errorf("sweep = %v, want an error that names the stream", err)
		}
		if got, want := b.state("gone"), "depth=1 claims=0 forwarded=0 aside=0 err=<nil>"; got != want {
			t.Errorf("queue: %s, want %s", got, want)
		}
	})
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

// TestOnTheRealQueue drains a real Redis, with an envelope of each kind.
func TestOnTheRealQueue(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	q, err := queue.Open(queue.Options{Deployment: "d", URL: server.URL, PushTimeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = q.Close() }()
	b := newBench(t, func(o *drain.Options) { o.Queue = q })
	var bodies []string
	for i := range 1200 {
		body := fmt.Sprintf("%04d", i)
		bodies = append(bodies, body)
		e := encode(t, envelope.Record{Stream: "orders", ReceivedAt: time.Now(), ID: body, Body: []byte(body)})
		if _, err := q.Push(t.Context(), "orders", e, 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := q.Push(t.Context(), "orders", []byte("poison"), 0); err != nil {
		t.Fatal(err)
	}
	b.sweep(t)
	if diff := cmp.Diff(bodies, sorted(b.delivered["d.orders"])); diff != "" {
		t.Errorf("delivered differ (-want +got):\n%s", diff)
	}
	s, err := q.Inspect(t.Context(), "orders")
	if err != nil || s.Depth != 0 || s.Claims != 0 || s.Accepted != 1201 || s.Forwarded != 1200 || s.Aside != 1 {
		t.Errorf("state = %+v, %v", s, err)
	}
}

func positions(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}
