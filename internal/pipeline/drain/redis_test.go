package drain_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/rig/metrictest"
	"github.com/data-sink/data-sink/internal/rig/redistest"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"
)

// realBench is a drainer on a real Redis, with an administrator's client.
type realBench struct {
	*bench
	queue *queue.Queue
	admin *redis.Client
}

func newRealBench(t *testing.T, change func(*drain.Config)) realBench {
	t.Helper()
	server := redistest.Start(t)
	q, err := queue.Open(queue.Options{Deployment: "d", URL: server.URL, PushTimeout: 10 * time.Second, CountersSettle: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	admin := redis.NewClient(&redis.Options{Addr: server.Addr})
	t.Cleanup(func() { _, _ = q.Close(), admin.Close() })
	b := newBench(t, func(o *drain.Config) {
		o.Queue = q
		if change != nil {
			change(o)
		}
	})
	return realBench{b, q, admin}
}

// push pushes a record of 2 minutes ago.
func (b realBench) push(t *testing.T, stream, body string) {
	t.Helper()
	e := encode(t, envelope.Record{Stream: stream, ReceivedAt: time.Now().Add(-2 * time.Minute), ID: idOf(body), Body: []byte(body)})
	if _, err := b.queue.Push(t.Context(), stream, e, 0); err != nil {
		t.Fatal(err)
	}
}

// do runs a command of the administrator.
func (b realBench) do(t *testing.T, command ...any) {
	t.Helper()
	if err := b.admin.Do(t.Context(), command...).Err(); err != nil {
		t.Fatal(err)
	}
}

func (b realBench) depth(t *testing.T, stream string) int64 {
	t.Helper()
	n, err := b.admin.LLen(t.Context(), "d:{"+stream+"}:queue").Result()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestOnTheRealQueue drains a real Redis, with an envelope of each kind.
func TestOnTheRealQueue(t *testing.T) {
	t.Parallel()
	b := newRealBench(t, nil)
	var bodies []string
	for i := range 1200 {
		bodies = append(bodies, fmt.Sprintf("%04d", i))
		b.push(t, "orders", bodies[i])
	}
	if _, err := b.queue.Push(t.Context(), "orders", []byte("poison"), 0); err != nil {
		t.Fatal(err)
	}
	b.sweep(t)
	if diff := cmp.Diff(bodies, sorted(b.delivered["d.orders"])); diff != "" {
		t.Errorf("delivered (-want +got):\n%s", diff)
	}
	got, err := b.queue.Inspect(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	got.AcceptedBytes, got.ForwardedBytes, got.DeadLetteredBytes, got.Settling = 0, 0, 0, false
	want := queue.State{Accepted: 1201, Forwarded: 1200, DeadLettered: 1, Exact: true, Measured: true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("state without bytes and Settling (-want +got):\n%s", diff)
	}
}

// One key of a wrong type hides its stream only, whether streams.json names the
// stream or not.
func TestAKeyOfAWrongTypeHidesItsStreamOnly(t *testing.T) {
	t.Parallel()
	for _, evil := range []string{"aaa", "orders"} {
		t.Run(evil, func(t *testing.T) {
			t.Parallel()
			var metrics bytes.Buffer
			b := newRealBench(t, func(o *drain.Config) {
				o.ObserveSweep = drain.Metrics{Writer: metric.NewWriter(&metrics, "d", false)}.ObserveSweep
			})
			b.push(t, "page-views", "view")
			b.push(t, "unknown", "orphan")
			b.do(t, "set", "d:{"+evil+"}:queue", "text")

			out, err := b.handler.Invoke(t.Context(), []byte(drain.InspectEvent))
			if err != nil {
				t.Fatal(err)
			}
			var inspection drain.Inspection
			if err := json.Unmarshal(out, &inspection); err != nil {
				t.Fatal(err)
			}
			if text := inspection.Errors[evil]; !strings.Contains(text, "WRONGTYPE") || len(inspection.Errors) != 1 {
				t.Errorf("errors of the inspection = %q, want one of stream %s", inspection.Errors, evil)
			}
			if depth := inspection.Streams["page-views"].Depth; depth != 1 {
				t.Errorf("depth of page-views in the inspection = %d, want 1", depth)
			}
			if depth := inspection.Orphans["unknown"].Depth; depth != 1 {
				t.Errorf("depth of the orphan in the inspection = %d, want 1", depth)
			}

			_, err = b.handler.Invoke(t.Context(), []byte(drain.SweepEvent))
			if err == nil || !strings.Contains(err.Error(), evil) || !strings.Contains(err.Error(), "WRONGTYPE") {
				t.Errorf("sweep = %v, want an error that names stream %s", err, evil)
			}
			if diff := cmp.Diff([]string{"view"}, b.delivered["d.page-views"]); diff != "" {
				t.Errorf("delivered of page-views (-want +got):\n%s", diff)
			}
			if _, ok := b.dead["drainer unknown orphan"]; !ok {
				t.Error("the record of an unknown stream, which comes later in the alphabet, is not a dead letter")
			}
			points := strings.Join(metrictest.Texts(metrictest.Read(t, metrics.Bytes())), "\n")
			if !strings.Contains(points, "QueueDepth Service=d:") {
				t.Errorf("no depth in the metrics:\n%s", points)
			}
		})
	}
}

// While Redis has too few replicas to write, the backlog waits: no error, one warning.
func TestTooFewReplicasEndAnInvocationQuietly(t *testing.T) {
	t.Parallel()
	b := newRealBench(t, nil)
	b.push(t, "orders", "order")
	b.push(t, "page-views", "view")
	b.push(t, "unknown", "orphan")
	b.do(t, "config", "set", "min-replicas-to-write", "1")
	b.sweep(t)
	if failed := b.wake(t, `{"stream":"orders"}`); len(failed) > 0 {
		t.Errorf("failed wake-ups %v, want none", failed)
	}
	if log := b.log.String(); strings.Count(log, "not_enough_replicas") != 2 || strings.Contains(log, "ERROR") {
		t.Errorf("log of a sweep and a wake-up, want one warning each and no error:\n%s", log)
	}
	b.do(t, "config", "set", "min-replicas-to-write", "0")
	b.sweep(t)
	if len(b.delivered["d.orders"]) != 1 || len(b.delivered["d.page-views"]) != 1 || len(b.dead) != 1 {
		t.Errorf("delivered %v, dead letters %d, want all that waited", b.delivered, len(b.dead))
	}
}

// Without a permission the drainer touches no record, and says what is missing.
func TestMissingPermissionsStopTheDrainer(t *testing.T) {
	t.Parallel()
	b := newRealBench(t, nil)
	b.push(t, "orders", "order")
	b.do(t, "acl", "setuser", "default", "-time", "-zadd")
	_, err := b.handler.Invoke(t.Context(), []byte(drain.SweepEvent))
	if !errors.Is(err, queue.ErrPermission) || !strings.Contains(err.Error(), "TIME, ZADD") {
		t.Errorf("sweep = %v, want an error that names TIME and ZADD", err)
	}
	if diff := cmp.Diff([]string{"0"}, b.wake(t, `{"stream":"orders"}`)); diff != "" {
		t.Errorf("failed wake-ups (-want +got):\n%s", diff)
	}
	if depth := b.depth(t, "orders"); depth != 1 {
		t.Errorf("depth = %d, want the record untouched", depth)
	}
	if log := b.log.String(); strings.Count(log, "redis_permissions_missing") != 2 {
		t.Errorf("log of a sweep and a wake-up:\n%s", log)
	}
	b.do(t, "acl", "setuser", "default", "+time", "+zadd")
	b.sweep(t)
	if diff := cmp.Diff([]string{"order"}, b.delivered["d.orders"]); diff != "" {
		t.Errorf("delivered after the permissions were given (-want +got):\n%s", diff)
	}
	// After that the process does not check again.
	b.do(t, "config", "resetstat")
	b.sweep(t)
	if stats := b.admin.Info(t.Context(), "commandstats").Val(); strings.Contains(stats, "cmdstat_unlink") || strings.Contains(stats, "cmdstat_lpush") {
		t.Errorf("commands of the second check:\n%s", stats)
	}
}

// The sweep returns a claim that no lease names, of a known stream and of an unknown one.
func TestTheSweepRecoversClaimsWithoutALease(t *testing.T) {
	t.Parallel()
	b := newRealBench(t, nil)
	for _, stream := range []string{"orders", "unknown"} {
		b.push(t, stream, "of "+stream)
		if _, err := b.queue.Claim(t.Context(), stream, "gone.1", time.Hour, 1, 1<<20); err != nil {
			t.Fatal(err)
		}
		b.do(t, "del", "d:{"+stream+"}:claims")
	}
	b.sweep(t)
	if diff := cmp.Diff([]string{"of orders"}, b.delivered["d.orders"]); diff != "" {
		t.Errorf("delivered (-want +got):\n%s", diff)
	}
	if _, ok := b.dead["drainer unknown of unknown"]; !ok {
		t.Error("the record of the unknown stream is not a dead letter")
	}
	if keys := b.admin.Keys(t.Context(), "*claim*").Val(); len(keys) > 0 {
		t.Errorf("keys of claims left: %q", keys)
	}
}

// Records that vanished are logged and counted once.
func TestLostRecordsAreReported(t *testing.T) {
	t.Parallel()
	var metrics bytes.Buffer
	b := newRealBench(t, func(o *drain.Config) {
		o.ObserveSweep = drain.Metrics{Writer: metric.NewWriter(&metrics, "d", true)}.ObserveSweep
	})
	b.push(t, "orders", "vanishes")
	b.push(t, "orders", "vanishes too")
	b.do(t, "del", "d:{orders}:queue")
	b.sweep(t)
	b.sweep(t)
	if log := b.log.String(); strings.Count(log, "records_lost") != 1 || !strings.Contains(log, "stream=orders count=2") {
		t.Errorf("log, want one line for two lost records:\n%s", log)
	}
	points := metrictest.Texts(metrictest.Read(t, metrics.Bytes()))
	points = slices.DeleteFunc(points, func(text string) bool { return !strings.HasPrefix(text, "Lost") })
	if diff := cmp.Diff([]string{"Lost Service=d: 2"}, points); diff != "" {
		t.Errorf("metric (-want +got):\n%s", diff)
	}
}

// A Redis whose data is gone, or older than what the last sweep has seen, is logged
// once, and the last known backlog is counted as lost.
func TestAResetQueueIsReported(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		waiting int
		reset   []any
		log     string
		points  []string
	}{
		{"all data gone", 2, []any{"flushall"}, "stream=orders backlog=2 accepted=0 accepted_before=2", []string{"Lost Service=d: 2"}},
		{"counters rolled back", 2, []any{"hincrby", "d:{orders}:stats", "accepted", -1}, "stream=orders backlog=2 accepted=1 accepted_before=2", []string{"Lost Service=d: 2"}},
		{"no backlog", 0, []any{"flushall"}, "stream=orders backlog=0 accepted=0 accepted_before=2", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var metrics bytes.Buffer
			b := newRealBench(t, func(o *drain.Config) {
				o.ObserveSweep = drain.Metrics{Writer: metric.NewWriter(&metrics, "d", true)}.ObserveSweep
			})
			b.push(t, "orders", "one")
			b.push(t, "orders", "two")
			if tt.waiting > 0 {
				b.put = func(_ context.Context, _ string, entries []sink.Entry) sink.Result {
					return sink.Result{Left: positions(len(entries)), Err: errors.New("refused")}
				}
			} else {
				b.sweep(t)
			}
			b.sweep(t)
			b.do(t, tt.reset...)
			b.sweep(t)
			b.sweep(t)
			if log := b.log.String(); strings.Count(log, "level=ERROR msg=queue_reset") != 1 || !strings.Contains(log, tt.log) {
				t.Errorf("log, want one line with %q:\n%s", tt.log, log)
			}
			points := metrictest.Texts(metrictest.Read(t, metrics.Bytes()))
			points = slices.DeleteFunc(points, func(text string) bool { return !strings.HasPrefix(text, "Lost") })
			if diff := cmp.Diff(tt.points, points, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("metric (-want +got):\n%s", diff)
			}
		})
	}
}

// A failover can bring back records that were forwarded. That is a warning, and no loss.
func TestRepeatedRecordsAreNotLost(t *testing.T) {
	t.Parallel()
	var metrics bytes.Buffer
	b := newRealBench(t, func(o *drain.Config) {
		o.ObserveSweep = drain.Metrics{Writer: metric.NewWriter(&metrics, "d", true)}.ObserveSweep
	})
	b.push(t, "orders", "repeated")
	b.sweep(t)
	b.do(t, "hincrby", "d:{orders}:stats", "forwarded", "1")
	b.sweep(t)
	b.sweep(t)
	if log := b.log.String(); strings.Count(log, "level=WARN msg=records_lost stream=orders count=-1") != 1 {
		t.Errorf("log, want one warning:\n%s", log)
	}
	for _, text := range metrictest.Texts(metrictest.Read(t, metrics.Bytes())) {
		if strings.HasPrefix(text, "Lost") {
			t.Errorf("metric %s, want none", text)
		}
	}
}

// With bypassQueue ingest pushes nothing more: the drainer empties what is there
// and leaves no key that holds records.
func TestTheDrainerEmptiesAQueueThatIsNoLongerFed(t *testing.T) {
	t.Parallel()
	b := newRealBench(t, nil)
	for i := range 100 {
		b.push(t, "orders", fmt.Sprint(i))
	}
	if _, err := b.queue.Claim(context.Background(), "orders", "killed.1", time.Millisecond, 10, 1<<20); err != nil {
		t.Fatal(err)
	}
	for len(b.delivered["d.orders"]) < 100 {
		b.sweep(t)
	}
	for _, kind := range []string{"queue", "claims", "claim:*"} {
		if keys := b.admin.Keys(t.Context(), "d:{orders}:"+kind).Val(); len(keys) > 0 {
			t.Errorf("keys left: %q", keys)
		}
	}
}
