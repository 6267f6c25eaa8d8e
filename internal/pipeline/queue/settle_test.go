package queue_test

import (
	"testing"
)

func testAck(t *testing.T, b bed) {
	push(t, b.Queue, "orders", "a", "bb", "ccc", "d")
	c := claim(t, b.Queue, "d.1", 3, 1<<20)
	if held, err := b.Ack(t.Context(), c, []int{1}); err != nil || !held {
		t.Fatalf("Ack = %v, %v, want held", held, err)
	}
	want := raw{Queue: []string{"d"}, Wake: true, Stats: stats(
		"accepted", "4", "acceptedBytes", "7", "forwarded", "2", "forwardedBytes", "4", "aside", "1", "asideBytes", "2",
	)}
	b.expect(t, "after an Ack", want)
	if held, err := b.Ack(t.Context(), c, nil); err != nil || held {
		t.Errorf("second Ack = %v, %v, want not held", held, err)
	}
	b.expect(t, "after a second Ack", want)
	if held, err := b.Release(t.Context(), c, []int{0, 1, 2}, nil, nil); err != nil || held {
		t.Errorf("Release after Ack = %v, %v, want not held", held, err)
	}
	b.expect(t, "after a Release of a claim that was acknowledged", want)
}

func testRelease(t *testing.T, b bed) {
	push(t, b.Queue, "orders", "a", "bb", "ccc", "dddd", "fffff", "gggggg", "e")
	c := claim(t, b.Queue, "d.1", 6, 1<<20)
	if held, err := b.Release(t.Context(), c, []int{3, 1}, []int{5, 4}, []int{2}); err != nil || !held {
		t.Fatalf("Release = %v, %v, want held", held, err)
	}
	want := raw{Queue: []string{"bb", "dddd", "e", "fffff", "gggggg"}, Wake: true, Stats: stats(
		"accepted", "7", "acceptedBytes", "22", "forwarded", "1", "forwardedBytes", "1", "aside", "1", "asideBytes", "3",
	)}
	b.expect(t, "after a Release", want)
	if held, err := b.Ack(t.Context(), c, nil); err != nil || held {
		t.Errorf("Ack after Release = %v, %v, want not held", held, err)
	}
	b.expect(t, "after an Ack of a claim that was released", want)
	if held, err := b.Release(t.Context(), c, []int{0}, nil, nil); err != nil || held {
		t.Errorf("second Release = %v, %v, want not held", held, err)
	}
	b.expect(t, "after a second Release", want)
}
