package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

func bodies(all ...string) [][]byte {
	envelopes := make([][]byte, len(all))
	for i, e := range all {
		envelopes[i] = []byte(e)
	}
	return envelopes
}

func key(digest, fingerprint byte) *queue.IdempotencyKey {
	return &queue.IdempotencyKey{Digest: [16]byte{'d', digest}, Fingerprint: [8]byte{'f', fingerprint}}
}

func (b bed) pushPart(t *testing.T, p queue.Part) queue.PartPushed {
	t.Helper()
	pushed, err := b.PushPart(t.Context(), "orders", p, 0)
	if err != nil {
		t.Fatal(err)
	}
	return pushed
}

func testPart(t *testing.T, b bed) {
	got := b.pushPart(t, queue.Part{Envelopes: bodies("a", "bb", "")})
	if diff := cmp.Diff(queue.PartPushed{Pushed: queue.Pushed{Depth: 3, WakeDue: true}, Done: 3}, got); diff != "" {
		t.Errorf("first part (-want +got):\n%s", diff)
	}
	got = b.pushPart(t, queue.Part{Envelopes: bodies("c"), First: 3})
	if diff := cmp.Diff(queue.PartPushed{Pushed: queue.Pushed{Depth: 4}, Done: 4}, got); diff != "" {
		t.Errorf("second part (-want +got):\n%s", diff)
	}
	b.expect(t, "after two parts without a key", raw{
		Queue: []string{"a", "bb", "", "c"}, Stats: stats("accepted", "4", "acceptedBytes", "4"), Wake: true,
	})
}

func testPartOverTheLimit(t *testing.T, b bed) {
	ctx := t.Context()
	for _, p := range []queue.Part{
		{Envelopes: bodies("123", "456")},
		{Envelopes: bodies("1"), RequestBytes: 6},
	} {
		if _, err := b.PushPart(ctx, "orders", p, 5); !isFull(err) {
			t.Errorf("PushPart(%v) with a limit of 5 = %v, want ErrBacklogFull", p, err)
		}
	}
	b.expect(t, "after parts over the limit", raw{})
	if _, err := b.PushPart(ctx, "orders", queue.Part{Envelopes: bodies("12", "34"), RequestBytes: 5}, 5); err != nil {
		t.Errorf("PushPart up to the limit = %v", err)
	}
}

// The same envelopes by Push and by PushPart leave the same keys and get the same
// answers.
func testPartAgreesWithPush(t *testing.T, b bed) {
	ctx := t.Context()
	const limit = 40
	for i, size := range []int{3, 0, 10, 20, 8, 7, 1} {
		envelope := []byte(sized(size))
		single, singleErr := b.Push(ctx, "orders", envelope, limit)
		part, partErr := b.PushPart(ctx, "parts", queue.Part{Envelopes: [][]byte{envelope}}, limit)
		if diff := cmp.Diff(single, part.Pushed); diff != "" {
			t.Errorf("push %d: answers differ (-Push +PushPart):\n%s", i, diff)
		}
		if isFull(singleErr) != isFull(partErr) {
			t.Errorf("push %d: Push = %v, PushPart = %v", i, singleErr, partErr)
		}
	}
	orders, parts := inspect(t, b.Queue), queue.State{}
	parts, err := b.Inspect(ctx, "parts")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(orders, parts); diff != "" {
		t.Errorf("states differ (-Push +PushPart):\n%s", diff)
	}
}

func testKeyReplayed(t *testing.T, b bed) {
	p := queue.Part{Envelopes: bodies("a", "b"), Key: key(1, 1)}
	b.pushPart(t, p)
	remembered := map[string]string{"d\x01" + string(make([]byte, 14)): "f\x01" + string(make([]byte, 6)) + "2"}
	want := raw{
		Queue: []string{"a", "b"}, Stats: stats("accepted", "2", "acceptedBytes", "2"), Wake: true, Once: remembered,
	}
	b.expect(t, "after the first try", want)
	got := b.pushPart(t, p)
	if diff := cmp.Diff(queue.PartPushed{Pushed: queue.Pushed{Depth: 2}, Done: 2, Replayed: true}, got); diff != "" {
		t.Errorf("second try (-want +got):\n%s", diff)
	}
	b.expect(t, "after the second try", want)
	if ttl := b.admin.PTTL(t.Context(), b.key("once")).Val(); ttl <= 0 {
		t.Errorf("TTL of the remembered keys = %v, want one", ttl)
	}
}

func testKeyReused(t *testing.T, b bed) {
	b.pushPart(t, queue.Part{Envelopes: bodies("a"), Key: key(1, 1)})
	before := b.raw(t)
	_, err := b.PushPart(t.Context(), "orders", queue.Part{Envelopes: bodies("other"), Key: key(1, 2)}, 0)
	if !errors.Is(err, queue.ErrKeyReused) {
		t.Errorf("PushPart with another fingerprint = %v, want ErrKeyReused", err)
	}
	if diff := cmp.Diff(before, b.raw(t)); diff != "" {
		t.Errorf("it changed keys (-before +after):\n%s", diff)
	}
	b.pushPart(t, queue.Part{Envelopes: bodies("b"), Key: key(2, 2)})
	if diff := cmp.Diff([]string{"a", "b"}, b.raw(t).Queue); diff != "" {
		t.Errorf("queue after another key (-want +got):\n%s", diff)
	}
}

// A retry continues where the first try stopped, also when it is cut into other parts.
func testKeyContinued(t *testing.T, b bed) {
	all := bodies("0", "1", "2", "3", "4", "5", "6")
	part := func(first, end int) queue.Part {
		return queue.Part{Envelopes: all[first:end], First: first, Key: key(1, 1)}
	}
	b.pushPart(t, part(0, 2))
	b.pushPart(t, part(2, 4))
	if got := b.pushPart(t, part(0, 3)); !got.Replayed || got.Done != 4 {
		t.Errorf("part before the end of the first try = %+v, want it replayed with 4 done", got)
	}
	if got := b.pushPart(t, part(3, 6)); got.Replayed || got.Done != 6 || got.Depth != 6 {
		t.Errorf("part around the end of the first try = %+v, want two of its envelopes pushed", got)
	}
	b.pushPart(t, part(6, 7))
	b.expect(t, "after the retry", raw{
		Queue: []string{"0", "1", "2", "3", "4", "5", "6"}, Stats: stats("accepted", "7", "acceptedBytes", "7"), Wake: true,
		Once: map[string]string{"d\x01" + string(make([]byte, 14)): "f\x01" + string(make([]byte, 6)) + "7"},
	})
}

// A failover between two parts loses the first one with its key. A retry pushes the
// whole request again: it must not take the first part for pushed.
func testKeyForgottenBetweenParts(t *testing.T, b bed) {
	all := bodies("0", "1", "2", "3")
	part := func(first, end int) queue.Part {
		return queue.Part{Envelopes: all[first:end], First: first, Key: key(1, 1)}
	}
	for name, lost := range map[string][]string{
		"the part and its key": {"queue", "stats", "once"}, "the key alone": {"once"},
	} {
		b.pushPart(t, part(0, 2))
		b.del(t, lost...)
		if got := b.pushPart(t, part(2, 4)); got.Replayed || got.Done != 4 {
			t.Errorf("Redis has lost %s: second part = %+v, want it pushed", name, got)
		}
		if got := b.pushPart(t, part(0, 4)); got.Replayed {
			t.Errorf("Redis has lost %s: retry = %+v, want it pushed", name, got)
		}
		queued := b.raw(t).Queue
		for _, envelope := range all {
			if !slices.Contains(queued, string(envelope)) {
				t.Errorf("Redis has lost %s: %q is not in the queue %q after the retry", name, envelope, queued)
			}
		}
		if got := b.pushPart(t, part(0, 4)); !got.Replayed {
			t.Errorf("Redis has lost %s: second retry = %+v, want it replayed", name, got)
		}
		b.del(t, "queue", "stats", "once", "wake")
	}
}

// A part whose predecessor was not pushed leaves the key at the end of what was.
func testKeyWithAGap(t *testing.T, b bed) {
	all := bodies("0", "1", "2")
	b.pushPart(t, queue.Part{Envelopes: all[:1], Key: key(1, 1)})
	b.pushPart(t, queue.Part{Envelopes: all[2:], First: 2, Key: key(1, 1)})
	if got := b.pushPart(t, queue.Part{Envelopes: all, Key: key(1, 1)}); got.Replayed {
		t.Errorf("retry = %+v, want it pushed", got)
	}
	if diff := cmp.Diff([]string{"0", "2", "1", "2"}, b.raw(t).Queue); diff != "" {
		t.Errorf("queue (-want +got):\n%s", diff)
	}
}

// del deletes keys of stream orders.
func (b bed) del(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := b.admin.Del(t.Context(), b.key(name)).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func testKeyNotRememberedWhenRefused(t *testing.T, b bed) {
	p := queue.Part{Envelopes: bodies("123456"), Key: key(1, 1)}
	if _, err := b.PushPart(t.Context(), "orders", p, 5); !isFull(err) {
		t.Errorf("PushPart over the limit = %v, want ErrBacklogFull", err)
	}
	b.expect(t, "after a refused part", raw{})
	if got := b.pushPart(t, queue.Part{Envelopes: bodies("1"), Key: key(1, 2)}); got.Replayed {
		t.Errorf("the key of a refused request = %+v, want it free", got)
	}
}

func testKeyByManyAtOnce(t *testing.T, b bed) {
	var wg sync.WaitGroup
	var replayed atomic.Int64
	for range 20 {
		wg.Go(func() {
			for first := 0; first < 30; first += 3 {
				p := queue.Part{First: first, Key: key(1, 1)}
				for i := range 3 {
					p.Envelopes = append(p.Envelopes, []byte(strconv.Itoa(first+i)))
				}
				got, err := b.PushPart(t.Context(), "orders", p, 0)
				if err != nil {
					t.Error(err)
				}
				if got.Replayed {
					replayed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	var want []string
	for i := range 30 {
		want = append(want, strconv.Itoa(i))
	}
	if diff := cmp.Diff(want, b.raw(t).Queue); diff != "" {
		t.Errorf("queue (-want +got):\n%s", diff)
	}
	if n := replayed.Load(); n != 19*10 {
		t.Errorf("%d parts were replayed, want all but one try of each, 190", n)
	}
}

// fill remembers so many keys of other requests.
func (b bed) fill(t *testing.T, keys int) {
	t.Helper()
	_, err := b.admin.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
		for first := 0; first < keys; first += 1000 {
			fields := make([]any, 0, 2000)
			for i := first; i < min(first+1000, keys); i++ {
				fields = append(fields, fmt.Sprintf("%016d", i), "f\x00\x00\x00\x00\x00\x00\x001")
			}
			pipe.HSet(t.Context(), b.key("once"), fields...)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The newest RememberedKeys keys are always known, and at most twice as many.
func testGenerationsByNumber(t *testing.T, b bed) {
	ctx := t.Context()
	first := queue.Part{Envelopes: bodies("first"), Key: key(1, 1)}
	b.pushPart(t, first)
	b.fill(t, queue.RememberedKeys-2)
	b.pushPart(t, queue.Part{Envelopes: bodies("full"), Key: key(2, 2)})
	if n := b.admin.Exists(ctx, b.key("once:old")).Val(); n != 0 {
		t.Error("the generation was turned with its last key, want it with the next one")
	}
	b.pushPart(t, queue.Part{Envelopes: bodies("next"), Key: key(3, 3)})
	if n := b.admin.HLen(ctx, b.key("once:old")).Val(); n != queue.RememberedKeys {
		t.Errorf("the older generation has %d keys, want %d", n, queue.RememberedKeys)
	}
	if n := b.admin.HLen(ctx, b.key("once")).Val(); n != 1 {
		t.Errorf("the younger generation has %d keys right after the turn, want 1", n)
	}
	if ttl := b.admin.PTTL(ctx, b.key("once:old")).Val(); ttl <= 0 {
		t.Errorf("TTL of the older generation = %v, want one", ttl)
	}
	if got := b.pushPart(t, first); !got.Replayed {
		t.Errorf("a key of the older generation = %+v, want it replayed", got)
	}
	if _, err := b.PushPart(ctx, "orders", queue.Part{Envelopes: bodies("x"), Key: key(1, 9)}, 0); !errors.Is(err, queue.ErrKeyReused) {
		t.Errorf("a key of the older generation for another request = %v, want ErrKeyReused", err)
	}
	b.fill(t, queue.RememberedKeys-1)
	b.pushPart(t, queue.Part{Envelopes: bodies("next again"), Key: key(4, 4)})
	if got := b.pushPart(t, first); got.Replayed {
		t.Errorf("a key that two generations have followed = %+v, want it forgotten", got)
	}
}
