package queue_test

import (
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/google/go-cmp/cmp"
)

func reconcile(t *testing.T, b bed) queue.Lost {
	t.Helper()
	lost, err := b.Reconcile(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	return lost
}

// Records that vanish from Redis without a script (an eviction, a DEL by hand, a
// restore that left a key out) no longer count against the limit of the backlog,
// and are reported as lost.
func testLostRecords(t *testing.T, b bed) {
	ctx := t.Context()
	push(t, b.Queue, "orders", "a", "bb", "ccc", "dddd")
	if lost := reconcile(t, b); lost != (queue.Lost{}) {
		t.Errorf("Reconcile while records wait = %+v, want nothing", lost)
	}
	c := claim(t, b.Queue, "d.1", 1, 1<<20)
	if err := b.admin.Del(ctx, b.key("queue")).Err(); err != nil {
		t.Fatal(err)
	}
	if lost := reconcile(t, b); lost != (queue.Lost{}) {
		t.Errorf("Reconcile while a claim is held = %+v, want nothing", lost)
	}
	if _, err := b.Push(ctx, "orders", []byte("12"), 11); !isFull(err) {
		t.Errorf("Push before the loss is known = %v, want ErrBacklogFull", err)
	}
	if _, err := b.Ack(ctx, c, nil); err != nil {
		t.Fatal(err)
	}
	if lost := reconcile(t, b); lost != (queue.Lost{Records: 3, Bytes: 9}) {
		t.Errorf("Reconcile = %+v, want the three records that vanished", lost)
	}
	if lost := reconcile(t, b); lost != (queue.Lost{}) {
		t.Errorf("second Reconcile = %+v, want nothing new", lost)
	}
	b.expect(t, "after Reconcile", raw{Wake: true, Stats: stats(
		"accepted", "4", "acceptedBytes", "10", "forwarded", "1", "forwardedBytes", "1", "lost", "3", "lostBytes", "9",
	)})
	s := inspect(t, b.Queue)
	if time.Since(s.LostAt).Abs() > time.Hour {
		t.Errorf("LostAt = %v, want now", s.LostAt)
	}
	s.LostAt = time.Time{}
	want := queue.State{
		Accepted: 4, AcceptedBytes: 10, Forwarded: 1, ForwardedBytes: 1, Lost: 3, LostBytes: 9, Exact: true, Measured: true,
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	if _, err := b.Push(ctx, "orders", []byte(sized(11)), 11); err != nil {
		t.Errorf("Push after the loss is known = %v, want the whole limit", err)
	}
	if _, err := b.PushPart(ctx, "orders", queue.Part{Envelopes: [][]byte{[]byte("1")}}, 12); err != nil {
		t.Errorf("PushPart after the loss is known = %v, want the whole limit", err)
	}
}

// A function of an older version pushes without counting. While it may still run,
// the counter is set right and nothing is called lost.
func testAcceptedSetRight(t *testing.T, b bed) {
	ctx := t.Context()
	push(t, b.Queue, "orders", "a", "b", "c", "d")
	claim(t, b.Queue, "d.1", 1, 1<<20)
	if err := b.admin.HDel(ctx, b.key("stats"), "accepted").Err(); err != nil {
		t.Fatal(err)
	}
	if lost := reconcile(t, b); lost != (queue.Lost{}) {
		t.Errorf("Reconcile = %+v, want nothing", lost)
	}
	b.expect(t, "after Reconcile", raw{
		Queue: []string{"b", "c", "d"}, Claims: []string{"d.1"}, Lists: map[string][]string{"d.1": {"a"}}, Wake: true,
		Stats: stats("accepted", "4", "acceptedBytes", "4", "claimed", "1", "claimedBytes", "1"),
	})
	s := inspect(t, b.Queue)
	if s.Accepted != 4 || !s.Settling {
		t.Errorf("accepted = %d, settling = %v, want the counter set right and still settling", s.Accepted, s.Settling)
	}
	if err := b.admin.RPush(ctx, b.key("queue"), "from an older function").Err(); err != nil {
		t.Fatal(err)
	}
	reconcile(t, b)
	if s := inspect(t, b.Queue); s.Accepted != 5 {
		t.Errorf("accepted = %d, want 5 with the record of the older function", s.Accepted)
	}
}

// After that time the counter is compared, and no longer set.
func testAcceptedKept(t *testing.T, b bed) {
	ctx := t.Context()
	b = b.reopen(t, func(o *queue.Options) { o.CountersSettle = time.Millisecond })
	push(t, b.Queue, "orders", "a", "b")
	if err := b.admin.HDel(ctx, b.key("stats"), "accepted").Err(); err != nil {
		t.Fatal(err)
	}
	reconcile(t, b)
	for inspect(t, b.Queue).Settling { // by the server's clock
		reconcile(t, b)
	}
	if err := b.admin.RPush(ctx, b.key("queue"), "from nowhere").Err(); err != nil {
		t.Fatal(err)
	}
	reconcile(t, b)
	if s := inspect(t, b.Queue); s.Accepted != 2 || s.Depth != 3 {
		t.Errorf("accepted = %d with depth %d, want 2 and 3: the difference must show", s.Accepted, s.Depth)
	}
}
