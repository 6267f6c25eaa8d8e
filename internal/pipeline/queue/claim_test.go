package queue_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func testClaimOrder(t *testing.T, b bed) {
	push(t, b.Queue, "orders", "a", "b", "c", "d")
	first := claim(t, b.Queue, "d.1", 3, 1<<20)
	if diff := cmp.Diff([]string{"a", "b", "c"}, contents(first)); diff != "" {
		t.Errorf("first claim (-want +got):\n%s", diff)
	}
	if first.Depth != 1 {
		t.Errorf("depth after the first claim = %d, want 1", first.Depth)
	}
	b.expect(t, "after the first claim", raw{
		Queue: []string{"d"}, Claims: []string{"d.1"}, Lists: map[string][]string{"d.1": {"a", "b", "c"}}, Wake: true,
		Stats: stats("accepted", "4", "acceptedBytes", "4", "claimed", "3", "claimedBytes", "3"),
	})
	second := claim(t, b.Queue, "d.2", 10, 1<<20)
	if diff := cmp.Diff([]string{"d"}, contents(second)); diff != "" {
		t.Errorf("second claim (-want +got):\n%s", diff)
	}
	want := raw{
		Claims: []string{"d.1", "d.2"}, Lists: map[string][]string{"d.1": {"a", "b", "c"}, "d.2": {"d"}}, Wake: true,
		Stats: stats("accepted", "4", "acceptedBytes", "4", "claimed", "4", "claimedBytes", "4"),
	}
	b.expect(t, "after the second claim", want)
	if empty := claim(t, b.Queue, "d.3", 10, 1<<20); len(empty.Envelopes) != 0 {
		t.Errorf("claim of an empty queue = %q", contents(empty))
	}
	b.expect(t, "after the claim of an empty queue", want)
}

func testClaimLimits(t *testing.T, b bed) {
	for i, tt := range []struct {
		sizes             []int
		records, bytes, n int
	}{
		{[]int{10, 10, 10}, 2, 100, 2},
		{[]int{10, 10, 10}, 9, 20, 2},
		{[]int{10, 10, 10}, 9, 19, 1},
		{[]int{100, 10}, 9, 20, 1},                           // larger than a claim: by itself
		{[]int{10, 100, 10}, 9, 20, 1},                       // and not behind another
		{[]int{1, 1, 1, 1, 500, 500, 1, 1, 1}, 99, 20, 4},    // popped many at a time, put back
		{[]int{0, 0, 0}, 9, 5, 3},                            // empty envelopes have no size
		{[]int{5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5}, 99, 50, 10}, // full to the byte
	} {
		stream := fmt.Sprintf("s%d", i)
		var all []string
		for _, n := range tt.sizes {
			all = append(all, sized(n))
		}
		push(t, b.Queue, stream, all...)
		c := claimOf(t, b.Queue, stream, "d.1", tt.records, tt.bytes)
		if diff := cmp.Diff(all[:tt.n], contents(c)); diff != "" {
			t.Errorf("case %d: claim (-want +got):\n%s", i, diff)
		}
		rest := claimOf(t, b.Queue, stream, "d.2", 1000, 1<<30)
		if diff := cmp.Diff(all[tt.n:], contents(rest), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("case %d: what is left (-want +got):\n%s", i, diff)
		}
	}
}

func testClaimRepeated(t *testing.T, b bed) {
	push(t, b.Queue, "orders", "a", "b", "c")
	first := claim(t, b.Queue, "d.1", 2, 1<<20)
	before := b.raw(t)
	again := claim(t, b.Queue, "d.1", 2, 1<<20)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the repeated claim differs (-first +again):\n%s", diff)
	}
	if diff := cmp.Diff(before, b.raw(t)); diff != "" {
		t.Errorf("the repeated claim changed keys (-before +after):\n%s", diff)
	}
}

func testLargeClaim(t *testing.T, b bed) {
	var all []string
	for i := range 1203 {
		all = append(all, fmt.Sprint(i))
	}
	push(t, b.Queue, "orders", all...)
	c := claim(t, b.Queue, "d.1", 5000, 1<<20)
	if diff := cmp.Diff(all, contents(c)); diff != "" {
		t.Fatalf("claim (-want +got):\n%s", diff)
	}
	left := make([]int, len(all))
	for i := range left {
		left[i] = i
	}
	if held, err := b.Release(t.Context(), c, left, nil, nil); err != nil || !held {
		t.Fatalf("Release = %v, %v", held, err)
	}
	if diff := cmp.Diff(all, b.raw(t).Queue); diff != "" {
		t.Errorf("queue after the release (-want +got):\n%s", diff)
	}
}

func testConcurrentClaims(t *testing.T, b bed) {
	const pushers, each = 8, 50
	var wg sync.WaitGroup
	for p := range pushers {
		wg.Go(func() {
			for i := range each {
				if _, err := b.Push(t.Context(), "orders", fmt.Appendf(nil, "%d/%d", p, i), 0); err != nil {
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
				c, err := b.Claim(t.Context(), "orders", fmt.Sprintf("%d.%d", d, n), time.Hour, 7, 1<<20)
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
				if _, err := b.Ack(t.Context(), c, nil); err != nil || all {
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
