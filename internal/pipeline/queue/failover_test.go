package queue_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/rig/redistest"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

// replicated is a primary and its replica.
type replicated struct {
	primary, replica *redistest.Server
	onPrimary        *redis.Client
	onReplica        *redis.Client
}

// newReplicated starts a primary with some arguments and a replica, and waits until
// the replica follows.
func newReplicated(t *testing.T, args ...string) replicated {
	t.Helper()
	primary := redistest.Start(t, append([]string{"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"}, args...)...)
	host, port, err := net.SplitHostPort(primary.Addr)
	if err != nil {
		t.Fatal(err)
	}
	replica := redistest.Start(t, "--replicaof", host+" "+port, "--repl-diskless-sync-delay", "0")
	r := replicated{primary, replica, clientOf(t, primary), clientOf(t, replica)}
	awaitReplicas(t, r.onPrimary, 1)
	return r
}

func clientOf(t *testing.T, s *redistest.Server) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 30 s for %s", what)
		}
	}
}

// awaitReplicas waits until a node has a number of replicas that follow.
func awaitReplicas(t *testing.T, node *redis.Client, n int) {
	t.Helper()
	await(t, fmt.Sprintf("%d replicas", n), func() bool {
		info, err := node.Info(t.Context(), "replication").Result()
		return err == nil && strings.Count(info, "state=online") == n
	})
}

// partition promotes the replica while the primary does not know it yet, as in a
// partition that separates the primary from its replica and from the nodes that
// vote, but not from the clients.
func (r replicated) partition(t *testing.T) {
	t.Helper()
	if err := r.onReplica.Do(t.Context(), "replicaof", "no", "one").Err(); err != nil {
		t.Fatal(err)
	}
	awaitReplicas(t, r.onPrimary, 0)
}

// heal makes the old primary follow the node that was promoted, and waits until it does.
func (r replicated) heal(t *testing.T) {
	t.Helper()
	host, port, err := net.SplitHostPort(r.replica.Addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.onPrimary.Do(t.Context(), "replicaof", host, port).Err(); err != nil {
		t.Fatal(err)
	}
	awaitReplicas(t, r.onReplica, 1)
}

// pushInPartition pushes records to the old primary until some were refused or 100
// were accepted, and returns how many were accepted.
func pushInPartition(t *testing.T, q *queue.Queue) (accepted int) {
	t.Helper()
	for i := range 100 {
		if _, err := q.Push(t.Context(), "orders", fmt.Append(nil, i), 0); err != nil {
			return accepted
		}
		accepted++
	}
	return accepted
}

// What a partition loses and repeats with each setting. The table of durability in
// cdk/README.md states the same.
func TestWhatAPartitionLoses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		args     []string
		options  queue.Options
		accepted int // of 100 records that are pushed to the old primary during the partition
		lost     int // of those that were accepted
	}{
		{"default: what the old primary accepts is lost", nil, queue.Options{}, 100, 100},
		{"waitReplicas=1: no push is confirmed", nil, queue.Options{WaitReplicas: 1, PushTimeout: 500 * time.Millisecond}, 0, 0},
		{"minReplicas=1: no push is accepted", []string{"--min-replicas-to-write", "1", "--min-replicas-max-lag", "2"}, queue.Options{}, 0, 0},
		{"appendfsync always does not help", []string{"--appendonly", "yes", "--appendfsync", "always"}, queue.Options{}, 100, 100},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newReplicated(t, tt.args...)
			o := tt.options
			o.URL, o.Deployment = r.primary.URL, "d"
			// The first push may take longer than the wait for the replica allows.
			unconfirmed := open(t, queue.Options{URL: o.URL, Deployment: o.Deployment})
			if _, err := unconfirmed.Push(t.Context(), "orders", []byte("before"), 0); err != nil {
				t.Fatal(err)
			}
			await(t, "the replica to have the first record", func() bool {
				return r.onReplica.LLen(t.Context(), "d:{orders}:queue").Val() == 1
			})
			q := open(t, o)
			r.partition(t)
			accepted := pushInPartition(t, q)
			if accepted != tt.accepted {
				t.Errorf("%d of 100 records were accepted during the partition, want %d", accepted, tt.accepted)
			}
			r.heal(t)
			kept := r.onReplica.LLen(t.Context(), "d:{orders}:queue").Val()
			if lost := accepted + 1 - int(kept); lost != tt.lost {
				t.Errorf("%d accepted records are lost after the partition, want %d", lost, tt.lost)
			}
		})
	}
}

// What is drained from the old primary during a partition is drained again from the
// node that was promoted, unless the primary refuses claims without its replica.
func TestWhatAPartitionRepeats(t *testing.T) {
	t.Parallel()
	const records = 1000
	for _, tt := range []struct {
		name     string
		args     []string
		repeated int
	}{
		{"default: all that was drained meanwhile", nil, records},
		{"minReplicas=1: nothing", []string{"--min-replicas-to-write", "1", "--min-replicas-max-lag", "2"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newReplicated(t, tt.args...)
			q := open(t, queue.Options{URL: r.primary.URL, Deployment: "d"})
			for i := range records {
				push(t, q, "orders", fmt.Sprint(i))
			}
			await(t, "the replica to have all records", func() bool {
				return r.onReplica.LLen(t.Context(), "d:{orders}:queue").Val() == records
			})
			r.partition(t)
			delivered := make(map[string]int)
			drainUntilRefused(t, q, delivered)
			promoted := open(t, queue.Options{URL: r.replica.URL, Deployment: "d"})
			drainUntilRefused(t, promoted, delivered)
			repeated := 0
			for _, n := range delivered {
				repeated += n - 1
			}
			if len(delivered) != records || repeated != tt.repeated {
				t.Errorf("%d records were delivered and %d of them twice, want %d and %d", len(delivered), repeated, records, tt.repeated)
			}
		})
	}
}

// drainUntilRefused drains stream orders until it is empty or Redis has too few
// replicas, and counts the records.
func drainUntilRefused(t *testing.T, q *queue.Queue, delivered map[string]int) {
	t.Helper()
	for i := 0; ; i++ {
		c, err := q.Claim(t.Context(), "orders", fmt.Sprintf("d.%d", i), time.Hour, 500, 1<<20)
		if errors.Is(err, queue.ErrNoReplicas) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Envelopes) == 0 {
			return
		}
		for _, e := range contents(c) {
			delivered[e]++
		}
		if _, err := q.Ack(t.Context(), c, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// Without the replicas that min-replicas-to-write demands, each call that writes
// says so and changes nothing.
func TestTooFewReplicasRefuseEachCall(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	admin := clientOf(t, s)
	ctx := t.Context()
	o := queue.Options{URL: s.URL, Deployment: "d"}
	b := bed{Queue: open(t, o), options: o, admin: admin}
	push(t, b.Queue, "orders", "a", "b", "c", "d")
	expired, err := b.Claim(ctx, "orders", "dead.1", time.Millisecond, 1, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	held := claim(t, b.Queue, "d.1", 1, 1<<20)
	stray := claim(t, b.Queue, "stray.1", 1, 1<<20)
	if err := admin.ZRem(ctx, "d:{orders}:claims", stray.ID).Err(); err != nil {
		t.Fatal(err)
	}
	await(t, "the lease to expire", func() bool {
		scores := admin.ZRangeWithScores(ctx, "d:{orders}:claims", 0, 0).Val()
		return len(scores) == 1 && scores[0].Score < float64(admin.Time(ctx).Val().UnixMilli())
	})
	if err := admin.ConfigSet(ctx, "min-replicas-to-write", "1").Err(); err != nil {
		t.Fatal(err)
	}
	before := b.raw(t)
	for name, call := range map[string]func(context.Context) error{
		"Push": func(ctx context.Context) error { _, err := b.Push(ctx, "orders", []byte("x"), 0); return err },
		"PushPart": func(ctx context.Context) error {
			_, err := b.PushPart(ctx, "orders", queue.Part{Envelopes: bodies("x"), Key: key(1, 1)}, 0)
			return err
		},
		"Claim":   func(ctx context.Context) error { _, err := b.Claim(ctx, "orders", "d.2", time.Hour, 1, 1); return err },
		"Ack":     func(ctx context.Context) error { _, err := b.Ack(ctx, held, nil); return err },
		"Release": func(ctx context.Context) error { _, err := b.Release(ctx, held, []int{0}, nil, nil); return err },
		"Reclaim": func(ctx context.Context) error { _, err := b.Reclaim(ctx, "orders"); return err },
		"Recover": func(ctx context.Context) error {
			_, err := b.Recover(ctx, "orders", []string{stray.ID, expired.ID})
			return err
		},
		"Reconcile": func(ctx context.Context) error { _, err := b.Reconcile(ctx, "orders"); return err },
	} {
		if err := call(ctx); !errors.Is(err, queue.ErrNoReplicas) {
			t.Errorf("%s = %v, want ErrNoReplicas", name, err)
		}
	}
	if diff := cmp.Diff(before, b.raw(t)); diff != "" {
		t.Errorf("calls that were refused changed keys (-before +after):\n%s", diff)
	}
	if state := inspect(t, b.Queue); state.Depth != 1 || state.Claims != 2 {
		t.Errorf("state = %+v, want it readable", state)
	}
}
