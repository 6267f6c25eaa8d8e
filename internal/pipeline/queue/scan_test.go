package queue_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func testScan(t *testing.T, b bed) {
	ctx := t.Context()
	push(t, b.Queue, "queued", "x")
	push(t, b.Queue, "claimed", "x", "y")
	claimOf(t, b.Queue, "claimed", "d.1", 1, 1)
	claimOf(t, b.Queue, "claimed", "d.2", 1, 1)
	push(t, b.Queue, "done", "x")
	if _, err := b.Ack(ctx, claimOf(t, b.Queue, "done", "d.1", 1, 1), nil); err != nil {
		t.Fatal(err)
	}
	push(t, b.Queue, "orders", "x")
	claim(t, b.Queue, "stray.1", 1, 1)
	if err := b.admin.ZRem(ctx, b.key("claims"), "stray.1").Err(); err != nil {
		t.Fatal(err)
	}
	if err := b.CheckPush(ctx); err != nil {
		t.Fatal(err)
	}
	found, err := b.Scan(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"queued": nil, "claimed": {"d.1", "d.2"}, "orders": {"stray.1"}}
	if diff := cmp.Diff(want, found, cmpopts.EquateEmpty(), cmpopts.SortSlices(func(a, b string) bool { return a < b })); diff != "" {
		t.Errorf("Scan (-want +got):\n%s", diff)
	}
}
