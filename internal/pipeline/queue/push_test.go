package queue_test

import (
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/google/go-cmp/cmp"
)

func testPush(t *testing.T, b bed) {
	ctx := t.Context()
	var got []queue.Pushed
	for _, stream := range []string{"orders", "orders", "page-views", "orders"} {
		p, err := b.Push(ctx, stream, []byte("abc"), 0)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p)
	}
	want := []queue.Pushed{{Depth: 1, WakeDue: true}, {Depth: 2}, {Depth: 1, WakeDue: true}, {Depth: 3}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results of the pushes (-want +got):\n%s", diff)
	}
	b.expect(t, "after three pushes", raw{
		Queue: []string{"abc", "abc", "abc"}, Stats: stats("accepted", "3", "acceptedBytes", "9"), Wake: true,
	})

	if ttl := b.admin.PTTL(ctx, b.key("wake")).Val(); ttl <= 0 || ttl > time.Hour {
		t.Errorf("the wake key expires in %v, want the wake interval of an hour at most", ttl)
	}
	b.del(t, "wake")
	if p, err := b.Push(ctx, "orders", []byte("abc"), 0); err != nil || !p.WakeDue {
		t.Errorf("Push without a wake key = %+v, %v, want a wake-up", p, err)
	}
}

func testPushOverTheLimit(t *testing.T, b bed) {
	ctx := t.Context()
	for range 2 {
		if _, err := b.Push(ctx, "orders", []byte("12345"), 10); err != nil {
			t.Fatal(err)
		}
	}
	want := raw{Queue: []string{"12345", "12345"}, Stats: stats("accepted", "2", "acceptedBytes", "10"), Wake: true}
	if _, err := b.Push(ctx, "orders", []byte("1"), 10); !isFull(err) {
		t.Errorf("Push over the limit = %v, want ErrBacklogFull", err)
	}
	b.expect(t, "after a push over the limit", want)

	c := claim(t, b.Queue, "d.1", 1, 1<<20)
	if _, err := b.Push(ctx, "orders", []byte("1"), 10); !isFull(err) {
		t.Errorf("Push with half of the backlog in a claim = %v, want ErrBacklogFull", err)
	}
	if _, err := b.Ack(ctx, c, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Push(ctx, "orders", []byte("1"), 10); err != nil {
		t.Errorf("Push after an Ack = %v, want room", err)
	}
	b.expect(t, "after a push below the limit", raw{
		Queue: []string{"12345", "1"}, Wake: true,
		Stats: stats("accepted", "3", "acceptedBytes", "11", "forwarded", "1", "forwardedBytes", "5"),
	})
}
