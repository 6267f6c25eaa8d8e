package queue_test

import (
	"testing"
	"time"
)

func testReclaim(t *testing.T, b bed) {
	ctx := t.Context()
	push(t, b.Queue, "orders", "a", "b", "c", "d")
	dead, err := b.Claim(ctx, "orders", "dead.1", time.Millisecond, 2, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	claim(t, b.Queue, "alive.1", 1, 1<<20)
	// The server's clock decides when the lease has expired.
	var n int
	for n == 0 {
		if n, err = b.Reclaim(ctx, "orders"); err != nil {
			t.Fatal(err)
		}
	}
	if n != 2 {
		t.Errorf("Reclaim = %d, want the two records of the dead drainer", n)
	}
	want := raw{
		Queue: []string{"a", "b", "d"}, Claims: []string{"alive.1"}, Lists: map[string][]string{"alive.1": {"c"}}, Wake: true,
		Stats: stats("accepted", "4", "acceptedBytes", "4", "claimed", "1", "claimedBytes", "1"),
	}
	b.expect(t, "after Reclaim", want)
	if held, err := b.Ack(ctx, dead, nil); err != nil || held {
		t.Errorf("Ack of a reclaimed claim = %v, %v, want not held", held, err)
	}
	if held, err := b.Release(ctx, dead, []int{0}, nil, nil); err != nil || held {
		t.Errorf("Release of a reclaimed claim = %v, %v, want not held", held, err)
	}
	if n, err := b.Reclaim(ctx, "orders"); err != nil || n != 0 {
		t.Errorf("second Reclaim = %d, %v, want 0", n, err)
	}
	b.expect(t, "after calls for a claim that was reclaimed", want)
}

func testRecover(t *testing.T, b bed) {
	ctx := t.Context()
	push(t, b.Queue, "orders", "a", "b", "c", "d")
	claim(t, b.Queue, "stray.1", 2, 1<<20)
	claim(t, b.Queue, "alive.1", 1, 1<<20)
	// A script that Redis stopped midway leaves a claim without a lease.
	if err := b.admin.ZRem(ctx, b.key("claims"), "stray.1").Err(); err != nil {
		t.Fatal(err)
	}
	found, err := b.Scan(ctx)
	if err != nil {
		t.Fatal(err)
	}
	n, err := b.Recover(ctx, "orders", found["orders"])
	if err != nil || n != 2 {
		t.Errorf("Recover = %d, %v, want the two records without a lease", n, err)
	}
	want := raw{
		Queue: []string{"a", "b", "d"}, Claims: []string{"alive.1"}, Lists: map[string][]string{"alive.1": {"c"}}, Wake: true,
		Stats: stats("accepted", "4", "acceptedBytes", "4", "claimed", "3", "claimedBytes", "3"),
	}
	b.expect(t, "after Recover", want)
	if n, err := b.Recover(ctx, "orders", found["orders"]); err != nil || n != 0 {
		t.Errorf("second Recover = %d, %v, want 0", n, err)
	}
	b.expect(t, "after a second Recover", want)
}
