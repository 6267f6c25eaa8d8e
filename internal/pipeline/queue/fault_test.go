package queue_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/rig/redistest"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

func TestARedisAtItsMemoryLimitStillDrains(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, "--maxmemory-policy", "noeviction")
	q := open(t, queue.Options{URL: s.URL})
	ctx := t.Context()
	push(t, q, "orders", strings.Repeat("a", 1000), strings.Repeat("b", 1000), strings.Repeat("c", 1000), strings.Repeat("d", 1000))
	expired, err := q.Claim(ctx, "orders", "dead.1", time.Millisecond, 1, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	held := claim(t, q, "d.1", 1, 1<<20)
	stray := claim(t, q, "stray.1", 1, 1<<20)

	admin := redis.NewClient(&redis.Options{Addr: s.Addr})
	defer func() { _ = admin.Close() }()
	if err := admin.ZRem(ctx, deployment(t)+":{orders}:claims", stray.ID).Err(); err != nil {
		t.Fatal(err)
	}
	if err := admin.ConfigSet(ctx, "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Push(ctx, "orders", []byte("e"), 0); err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Fatalf("Push at the memory limit = %v, want it refused", err)
	}
	for n := 0; n == 0; {
		if n, err = q.Reclaim(ctx, "orders"); err != nil {
			t.Fatalf("Reclaim at the memory limit: %v", err)
		}
	}
	if ok, err := q.Release(ctx, held, []int{0}, nil, nil); err != nil || !ok {
		t.Fatalf("Release at the memory limit = %v, %v", ok, err)
	}
	if n, err := q.Recover(ctx, "orders", []string{stray.ID}); err != nil || n != 1 {
		t.Fatalf("Recover at the memory limit = %d, %v", n, err)
	}
	if state := inspect(t, q); state.Depth != 4 || state.Claims != 0 {
		t.Errorf("state at the memory limit = %+v, want all four back in the queue", state)
	}
	all := claim(t, q, "d.2", 10, 1<<20)
	if len(all.Envelopes) != 4 {
		t.Fatalf("Claim at the memory limit has %d envelopes, want 4", len(all.Envelopes))
	}
	if ok, err := q.Ack(ctx, all, nil); err != nil || !ok {
		t.Fatalf("Ack at the memory limit = %v, %v", ok, err)
	}
	if lost, err := q.Reconcile(ctx, "orders"); err != nil || lost != (queue.Lost{}) {
		t.Errorf("Reconcile at the memory limit = %+v, %v, want nothing lost", lost, err)
	}
	want := queue.State{Accepted: 4, AcceptedBytes: 4000, Forwarded: 4, ForwardedBytes: 4000, Exact: true, Measured: true}
	if diff := cmp.Diff(want, inspect(t, q)); diff != "" {
		t.Errorf("state differs (-want +got):\n%s", diff)
	}
	if ok, err := q.Ack(ctx, expired, nil); err != nil || ok {
		t.Errorf("Ack of the reclaimed claim = %v, %v, want not held", ok, err)
	}
}

func TestScriptsAreSentAgainAfterAFlush(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	q := open(t, queue.Options{URL: s.URL})
	admin := redis.NewClient(&redis.Options{Addr: s.Addr})
	defer func() { _ = admin.Close() }()
	for _, e := range []string{"a", "b"} {
		push(t, q, "orders", e)
		if err := admin.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"a", "b"}, contents(claim(t, q, "d.1", 10, 1<<20))); diff != "" {
		t.Errorf("claim differs (-want +got):\n%s", diff)
	}
}

func TestPushEndsInTimeAndIsSentOnce(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	q := open(t, queue.Options{URL: s.URL, PushTimeout: 200 * time.Millisecond})
	push(t, q, "orders", "a")
	s.Freeze()
	began := time.Now()
	_, err := q.Push(t.Context(), "orders", []byte("b"), 0)
	if !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
		t.Errorf("Push to a frozen Redis = %v, want a time-out", err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("Push to a frozen Redis took %v, its time-out is 200ms", took)
	}
	s.Thaw()
	// The frozen server has received the push, and runs it once now.
	var state queue.State
	for state.Accepted < 2 {
		state = inspect(t, q)
	}
	if state.Depth != 2 {
		t.Errorf("depth = %d, want the push that timed out once", state.Depth)
	}
}

func TestPushToASilentServerEndsInTime(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts in its backlog and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	for _, url := range []string{"redis://" + silent.Addr().String(), "redis://" + silent.Addr().String() + "?cluster=true"} {
		q := open(t, queue.Options{URL: url, PushTimeout: 200 * time.Millisecond})
		began := time.Now()
		if _, err := q.Push(t.Context(), "orders", []byte("a"), 0); err == nil {
			t.Errorf("Push to %s succeeded", url)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("Push to %s took %v, its time-out is 200ms", url, took)
		}
	}
}

func TestPushWaitsForReplicas(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	host, port, err := net.SplitHostPort(master.Addr)
	if err != nil {
		t.Fatal(err)
	}
	q := open(t, queue.Options{URL: master.URL, WaitReplicas: 1, PushTimeout: 2 * time.Second})
	if _, err := q.Push(t.Context(), "orders", []byte("alone"), 0); err == nil || !strings.Contains(err.Error(), "0 have the record, want 1") {
		t.Errorf("Push without a replica = %v, want an error that counts replicas", err)
	}
	replica := redistest.Start(t, "--replicaof", host+" "+port)
	on := redis.NewClient(&redis.Options{Addr: replica.Addr})
	defer func() { _ = on.Close() }()
	patient := open(t, queue.Options{URL: master.URL, WaitReplicas: 1, PushTimeout: 20 * time.Second, Deployment: "patient"})
	if _, err := patient.Push(t.Context(), "orders", []byte("together"), 0); err != nil {
		t.Fatalf("Push with a replica: %v", err)
	}
	if n := on.LLen(t.Context(), "patient:{orders}:queue").Val(); n != 1 {
		t.Errorf("the replica has %d envelopes when Push returns, want 1", n)
	}
}

func TestPushWaitsOnACluster(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, redistest.ClusterOptions{})
	q := open(t, queue.Options{URL: c.URL, WaitReplicas: 1, PushTimeout: 2 * time.Second})
	for _, stream := range []string{"a", "b", "c"} {
		_, err := q.Push(t.Context(), stream, []byte("x"), 0)
		if err == nil || !strings.Contains(err.Error(), "0 have the record, want 1") {
			t.Errorf("Push to %s = %v, want the number of replicas of its node", stream, err)
		}
	}
}

func TestWrongTypeIsAnErrorThatNamesTheKey(t *testing.T) {
	t.Parallel()
	q := open(t, queue.Options{})
	admin := redis.NewClient(&redis.Options{Network: "unix", Addr: server.Socket})
	defer func() { _ = admin.Close() }()
	key := deployment(t) + ":{orders}:queue"
	if err := admin.Set(t.Context(), key, "not a list", 0).Err(); err != nil {
		t.Fatal(err)
	}
	_, pushErr := q.Push(t.Context(), "orders", []byte("x"), 0)
	_, claimErr := q.Claim(t.Context(), "orders", "d.1", time.Hour, 1, 1)
	for doing, err := range map[string]error{"Push": pushErr, "Claim": claimErr} {
		if err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "WRONGTYPE") {
			t.Errorf("%s = %v, want an error with the key and its cause", doing, err)
		}
	}
}

func TestOpenRefusesABadURLWithoutRepeatingIt(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"redis://:hunter2@ho st", "http://hunter2", "redis://h?cluster=maybe", "redis://h?hunter2=1", "redis://h?dial_timeout=1s"} {
		_, err := queue.Open(queue.Options{Deployment: "d", URL: url})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Open(%q) = %v, want an error without the URL", url, err)
		}
	}
}

func TestEvictionPolicy(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, "--maxmemory-policy", "allkeys-lru")
	q := open(t, queue.Options{URL: s.URL})
	if policy, err := q.EvictionPolicy(t.Context()); err != nil || policy != "allkeys-lru" {
		t.Errorf("EvictionPolicy = %q, %v, want allkeys-lru", policy, err)
	}
}

func TestErrorsReachTheCaller(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	q := open(t, queue.Options{URL: s.URL})
	push(t, q, "orders", "a")
	c := claim(t, q, "d.1", 1, 1)
	s.Kill()
	ctx := t.Context()
	for doing, call := range map[string]func() error{
		"Ping":       func() error { return q.Ping(ctx) },
		"Push":       func() error { _, err := q.Push(ctx, "orders", []byte("x"), 0); return err },
		"Claim":      func() error { _, err := q.Claim(ctx, "orders", "d.2", time.Hour, 1, 1); return err },
		"Ack":        func() error { _, err := q.Ack(ctx, c, nil); return err },
		"Release":    func() error { _, err := q.Release(ctx, c, []int{0}, nil, nil); return err },
		"Reclaim":    func() error { _, err := q.Reclaim(ctx, "orders"); return err },
		"Inspect":    func() error { _, err := q.Inspect(ctx, "orders"); return err },
		"Recover":    func() error { _, err := q.Recover(ctx, "orders", []string{"d.1"}); return err },
		"Reconcile":  func() error { _, err := q.Reconcile(ctx, "orders"); return err },
		"Scan":       func() error { _, err := q.Scan(ctx); return err },
		"CheckPush":  func() error { return q.CheckPush(ctx) },
		"CheckDrain": func() error { return q.CheckDrain(ctx) },
		"PushPart": func() error {
			_, err := q.PushPart(ctx, "orders", queue.Part{Envelopes: [][]byte{{1}}}, 0)
			return err
		},
		"EvictionPolicy": func() error { _, err := q.EvictionPolicy(ctx); return err },
	} {
		if call() == nil {
			t.Errorf("%s on a stopped Redis: no error", doing)
		}
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
