package queue_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/rig/redistest"
	"github.com/google/go-cmp/cmp"
)

// server is shared by the tests of this package; each has a deployment of its own.
var server *redistest.Server

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "queue")
	if err == nil {
		server, err = redistest.Run(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	server.Remove()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func open(t testing.TB, o queue.Options) *queue.Queue {
	t.Helper()
	if o.Deployment == "" {
		o.Deployment = deployment(t)
	}
	if o.URL == "" {
		o.URL = "unix://" + server.Socket
	}
	if o.PushTimeout == 0 {
		o.PushTimeout = 10 * time.Second // for a busy machine
	}
	q, err := queue.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

// deployment names the one of the test. A test that runs again has another: the
// name is that of its folder for temporary files.
func deployment(t testing.TB) string {
	t.Helper()
	return filepath.Base(filepath.Dir(t.TempDir()))
}

// TestQueue runs the same promises on every kind of Redis.
func TestQueue(t *testing.T) {
	t.Parallel()
	kinds := map[string]func(t *testing.T) queue.Options{
		"one node": func(*testing.T) queue.Options { return queue.Options{} },
		"cluster": func(t *testing.T) queue.Options {
			c := redistest.StartCluster(t, redistest.ClusterOptions{})
			return queue.Options{URL: c.URL}
		},
		"cluster over TLS with a password": func(t *testing.T) queue.Options {
			cert, key, ca, err := redistest.Certificate(t.TempDir(), "localhost")
			if err != nil {
				t.Fatal(err)
			}
			c := redistest.StartCluster(t, redistest.ClusterOptions{TLS: true, CertFile: cert, KeyFile: key, CAFile: ca, Password: "secret"})
			return queue.Options{URL: c.URL, TLS: c.TLS, Password: "secret"}
		},
		"embedded": func(t *testing.T) queue.Options {
			m := miniredis.RunT(t)
			return queue.Options{URL: "redis://" + m.Addr()}
		},
	}
	for kind, options := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			o := options(t)
			for name, promise := range map[string]func(*testing.T, *queue.Queue){
				"order":                     promiseOrder,
				"bounds of a claim":         promiseBounds,
				"claim repeated":            promiseClaimRepeated,
				"ack":                       promiseAck,
				"release":                   promiseRelease,
				"reclaim":                   promiseReclaim,
				"backlog bound":             promiseBacklogBound,
				"wake-ups":                  promiseWake,
				"state":                     promiseState,
				"streams":                   promiseStreams,
				"concurrent":                promiseConcurrent,
				"large claim goes and back": promiseLargeClaim,
			} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					o := o
					o.Deployment = deployment(t)
					promise(t, open(t, o))
				})
			}
		})
	}
}

func promiseOrder(t *testing.T, q *queue.Queue) {
	push(t, q, "orders", "a", "b", "c", "d")
	first := claim(t, q, "d.1", 2, 1<<20)
	if diff := cmp.Diff([]string{"a", "b"}, contents(first)); diff != "" || first.Depth != 2 {
		t.Errorf("first claim, depth %d (-want +got):\n%s", first.Depth, diff)
	}
	second := claim(t, q, "d.2", 10, 1<<20)
	if diff := cmp.Diff([]string{"c", "d"}, contents(second)); diff != "" || second.Depth != 0 {
		t.Errorf("second claim, depth %d (-want +got):\n%s", second.Depth, diff)
	}
	if empty := claim(t, q, "d.3", 10, 1<<20); len(empty.Envelopes) != 0 {
		t.Errorf("claim of an empty queue = %q", contents(empty))
	}
}

func promiseBounds(t *testing.T, q *queue.Queue) {
	sized := func(n int) string { return strings.Repeat("x", n) }
	for i, tt := range []struct {
		sizes             []int
		records, bytes, n int
	}{
		{[]int{10, 10, 10}, 2, 100, 2},
		{[]int{10, 10, 10}, 9, 20, 2},
		{[]int{10, 10, 10}, 9, 19, 1},
		{[]int{100, 10}, 9, 20, 1},                           // larger than a claim: by itself
		{[]int{10, 100, 10}, 9, 20, 1},                       // and not behind another
		{[]int{1, 1, 1, 1, 500, 500, 1, 1, 1}, 99, 20, 4},    // popped many at once, put back
		{[]int{0, 0, 0}, 9, 5, 3},                            // nothing weighs nothing
		{[]int{5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5}, 99, 50, 10}, // full to the byte
	} {
		stream := fmt.Sprintf("s%d", i)
		var all []string
		for _, n := range tt.sizes {
			all = append(all, sized(n))
		}
		push(t, q, stream, all...)
		c := claimOf(t, q, stream, "d.1", tt.records, tt.bytes)
		if diff := cmp.Diff(all[:tt.n], contents(c)); diff != "" {
			t.Errorf("case %d: claim differs (-want +got):\n%s", i, diff)
		}
		rest := claimOf(t, q, stream, "d.2", 1000, 1<<30)
		if diff := cmp.Diff(all[tt.n:], contents(rest), equateEmpty); diff != "" {
			t.Errorf("case %d: what is left differs (-want +got):\n%s", i, diff)
		}
	}
}

var equateEmpty = cmp.Transformer("empty", func(s []string) []string { return append([]string{}, s...) })

func promiseClaimRepeated(t *testing.T, q *queue.Queue) {
	push(t, q, "orders", "a", "b", "c")
	first := claim(t, q, "d.1", 2, 1<<20)
	again := claim(t, q, "d.1", 2, 1<<20)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the same claim asked for again differs (-first +again):\n%s", diff)
	}
	if s := inspect(t, q); s.Depth != 1 || s.ClaimedRecords != 2 || s.Claims != 1 {
		t.Errorf("state = %+v, want one in the queue and two in one claim", s)
	}
}

func promiseAck(t *testing.T, q *queue.Queue) {
	push(t, q, "orders", "a", "bb", "ccc")
	c := claim(t, q, "d.1", 10, 1<<20)
	if held, err := q.Ack(t.Context(), c, []int{1}); err != nil || !held {
		t.Fatalf("Ack = %v, %v, want held", held, err)
	}
	want := queue.State{Accepted: 3, AcceptedBytes: 6, Forwarded: 2, ForwardedBytes: 4, Aside: 1, AsideBytes: 2}
	if diff := cmp.Diff(want, inspect(t, q)); diff != "" {
		t.Errorf("state differs (-want +got):\n%s", diff)
	}
	if held, err := q.Ack(t.Context(), c, nil); err != nil || held {
		t.Errorf("second Ack = %v, %v, want not held", held, err)
	}
	if held, err := q.Release(t.Context(), c, []int{0, 1, 2}, nil); err != nil || held {
		t.Errorf("Release after Ack = %v, %v, want not held", held, err)
	}
	if diff := cmp.Diff(want, inspect(t, q)); diff != "" {
		t.Errorf("a claim that is gone was counted again (-want +got):\n%s", diff)
	}
}

func promiseRelease(t *testing.T, q *queue.Queue) {
	push(t, q, "orders", "a", "bb", "ccc", "dddd", "e")
	c := claim(t, q, "d.1", 4, 1<<20)
	if held, err := q.Release(t.Context(), c, []int{3, 1}, []int{2}); err != nil || !held {
		t.Fatalf("Release = %v, %v, want held", held, err)
	}
	want := queue.State{
		Depth: 3, QueuedBytes: 7, Accepted: 5, AcceptedBytes: 11, Forwarded: 1, ForwardedBytes: 1, Aside: 1, AsideBytes: 3,
	}
	if diff := cmp.Diff(want, inspect(t, q)); diff != "" {
		t.Errorf("state differs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"bb", "dddd", "e"}, contents(claim(t, q, "d.2", 10, 1<<20))); diff != "" {
		t.Errorf("what went back to the head differs (-want +got):\n%s", diff)
	}
	if held, err := q.Ack(t.Context(), c, nil); err != nil || held {
		t.Errorf("Ack after Release = %v, %v, want not held", held, err)
	}
}

func promiseReclaim(t *testing.T, q *queue.Queue) {
	ctx := t.Context()
	push(t, q, "orders", "a", "b", "c")
	dead, err := q.Claim(ctx, "orders", "dead.1", time.Millisecond, 2, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Claim(ctx, "orders", "alive.1", time.Hour, 1, 1<<20); err != nil {
		t.Fatal(err)
	}
	// The lease runs by the server's clock, so the test waits for it there.
	var n int
	for n == 0 {
		if n, err = q.Reclaim(ctx, "orders"); err != nil {
			t.Fatal(err)
		}
	}
	if n != 2 {
		t.Errorf("Reclaim = %d, want the two records of the dead drainer", n)
	}
	if held, err := q.Ack(ctx, dead, nil); err != nil || held {
		t.Errorf("Ack of a reclaimed claim = %v, %v, want not held", held, err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, contents(claim(t, q, "next.1", 10, 1<<20))); diff != "" {
		t.Errorf("reclaimed records differ (-want +got):\n%s", diff)
	}
	s := inspect(t, q)
	if s.Claims != 2 || s.Drainers != 2 || s.ClaimedRecords != 3 || s.ClaimedBytes != 3 {
		t.Errorf("state = %+v, want two claims of two drainers with three records", s)
	}
	if diff := cmp.Diff([]string{"alive", "next"}, s.DrainerIDs); diff != "" {
		t.Errorf("drainers differ (-want +got):\n%s", diff)
	}
}

func promiseBacklogBound(t *testing.T, q *queue.Queue) {
	ctx := t.Context()
	for range 2 {
		if _, err := q.Push(ctx, "orders", []byte("12345"), 10); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := q.Push(ctx, "orders", []byte("1"), 10); !isFull(err) {
		t.Errorf("Push over the bound = %v, want ErrBacklogFull", err)
	}
	c := claim(t, q, "d.1", 1, 1<<20)
	if _, err := q.Push(ctx, "orders", []byte("1"), 10); !isFull(err) {
		t.Errorf("Push with the rest in a claim = %v, want ErrBacklogFull: claims wait too", err)
	}
	if _, err := q.Ack(ctx, c, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Push(ctx, "orders", []byte("1"), 10); err != nil {
		t.Errorf("Push after an Ack = %v, want room", err)
	}
	if s := inspect(t, q); s.Accepted != 3 || s.Depth != 2 {
		t.Errorf("state = %+v, want three accepted, none for those refused", s)
	}
}

func promiseWake(t *testing.T, q *queue.Queue) {
	var due []bool
	for _, stream := range []string{"orders", "orders", "page-views", "orders"} {
		p, err := q.Push(t.Context(), stream, []byte("x"), 0)
		if err != nil {
			t.Fatal(err)
		}
		due = append(due, p.WakeDue)
	}
	if diff := cmp.Diff([]bool{true, false, true, false}, due); diff != "" {
		t.Errorf("wake-ups due differ (-want +got):\n%s", diff)
	}
}

func promiseState(t *testing.T, q *queue.Queue) {
	if diff := cmp.Diff(queue.State{}, inspect(t, q)); diff != "" {
		t.Errorf("state of nothing differs (-want +got):\n%s", diff)
	}
	old := time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC)
	push(t, q, "orders", encoded(t, old), encoded(t, old.Add(time.Hour)))
	claim(t, q, "d.1", 1, 1<<20)
	if s := inspect(t, q); !s.OldestReceivedAt.Equal(old) {
		t.Errorf("oldest = %v, want that of the claimed record, %v", s.OldestReceivedAt, old)
	}
	push(t, q, "orders", "undecodable")
	if s := inspect(t, q); s.Depth != 2 || !s.OldestReceivedAt.Equal(old) {
		t.Errorf("state = %+v, want an oldest record in spite of one that cannot be decoded", s)
	}
}

func promiseStreams(t *testing.T, q *queue.Queue) {
	push(t, q, "queued", "x")
	push(t, q, "claimed", "x")
	claimOf(t, q, "claimed", "d.1", 1, 1)
	push(t, q, "done", "x")
	if _, err := q.Ack(t.Context(), claimOf(t, q, "done", "d.1", 1, 1), nil); err != nil {
		t.Fatal(err)
	}
	names, err := q.Streams(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"claimed", "queued"}, names); diff != "" {
		t.Errorf("Streams differs (-want +got):\n%s", diff)
	}
}

func promiseConcurrent(t *testing.T, q *queue.Queue) {
	const pushers, each = 8, 50
	var wg sync.WaitGroup
	for p := range pushers {
		wg.Go(func() {
			for i := range each {
				if _, err := q.Push(t.Context(), "orders", fmt.Appendf(nil, "%d/%d", p, i), 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var mu sync.Mutex
	seen := make(map[string]int)
	for d := range 4 {
		wg.Go(func() {
			for n := 0; ; n++ {
				c, err := q.Claim(t.Context(), "orders", fmt.Sprintf("%d.%d", d, n), time.Hour, 7, 1<<20)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, e := range contents(c) {
					seen[e]++
				}
				all := len(seen) == pushers*each
				mu.Unlock()
				if _, err := q.Ack(t.Context(), c, nil); err != nil || all {
					return
				}
			}
		})
	}
	wg.Wait()
	for e, n := range seen {
		if n != 1 {
			t.Errorf("%s was claimed %d times", e, n)
		}
	}
}

func promiseLargeClaim(t *testing.T, q *queue.Queue) {
	var all []string
	for i := range 1203 {
		all = append(all, fmt.Sprint(i))
	}
	push(t, q, "orders", all...)
	c := claim(t, q, "d.1", 5000, 1<<20)
	if diff := cmp.Diff(all, contents(c)); diff != "" {
		t.Fatalf("claim differs (-want +got):\n%s", diff)
	}
	left := make([]int, len(all))
	for i := range left {
		left[i] = i
	}
	if held, err := q.Release(t.Context(), c, left, nil); err != nil || !held {
		t.Fatalf("Release = %v, %v", held, err)
	}
	if diff := cmp.Diff(all, contents(claim(t, q, "d.2", 5000, 1<<20))); diff != "" {
		t.Errorf("what came back differs (-want +got):\n%s", diff)
	}
}

func push(t testing.TB, q *queue.Queue, stream string, envelopes ...string) {
	t.Helper()
	for _, e := range envelopes {
		if _, err := q.Push(t.Context(), stream, []byte(e), 0); err != nil {
			t.Fatal(err)
		}
	}
}

func claim(t testing.TB, q *queue.Queue, id string, records, bytes int) queue.Claim {
	t.Helper()
	return claimOf(t, q, "orders", id, records, bytes)
}

func claimOf(t testing.TB, q *queue.Queue, stream, id string, records, bytes int) queue.Claim {
	t.Helper()
	c, err := q.Claim(t.Context(), stream, id, time.Hour, records, bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func inspect(t testing.TB, q *queue.Queue) queue.State {
	t.Helper()
	s, err := q.Inspect(context.WithoutCancel(t.Context()), "orders")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func contents(c queue.Claim) []string {
	all := make([]string, len(c.Envelopes))
	for i, e := range c.Envelopes {
		all[i] = string(e)
	}
	return all
}

func encoded(t testing.TB, at time.Time) string {
	t.Helper()
	b, err := envelope.Encode(envelope.Record{Stream: "orders", ReceivedAt: at, ID: "id", Body: []byte(filepath.Base(t.Name()))})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
