package queue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/google/go-cmp/cmp"
)

func testState(t *testing.T, b bed) {
	if diff := cmp.Diff(queue.State{Exact: true, Measured: true}, inspect(t, b.Queue)); diff != "" {
		t.Errorf("state of an empty queue (-want +got):\n%s", diff)
	}
	old := time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC)
	first, second := encoded(t, old), encoded(t, old.Add(time.Hour))
	push(t, b.Queue, "orders", first, second, "undecodable", "aa", "bb")
	claim(t, b.Queue, "one.1", 1, 1<<20)
	claim(t, b.Queue, "two.1", 2, 1<<20)
	size := int64(len(first))
	want := queue.State{
		Depth: 2, QueuedBytes: 4, Claims: 2, ClaimedRecords: 3, ClaimedBytes: 2*size + 11, Drainers: 2, DrainerIDs: []string{"one", "two"},
		OldestReceivedAt: old, Accepted: 5, AcceptedBytes: 2*size + 15, Exact: true, Measured: true, Settling: true,
	}
	before := b.raw(t)
	if diff := cmp.Diff(want, inspect(t, b.Queue)); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	b.expect(t, "after Inspect", before)

	// Each number is counted apart from the others: what is taken from a list is
	// missing in the lists and nowhere else.
	if err := b.admin.LPop(t.Context(), b.key("claim:two.1")).Err(); err != nil {
		t.Fatal(err)
	}
	if err := b.admin.LPop(t.Context(), b.key("queue")).Err(); err != nil {
		t.Fatal(err)
	}
	want.Depth, want.QueuedBytes = 1, 2
	want.ClaimedRecords, want.ClaimedBytes = 2, size+11
	if diff := cmp.Diff(want, inspect(t, b.Queue)); diff != "" {
		t.Errorf("state without two records (-want +got):\n%s", diff)
	}
}

func testLargeState(t *testing.T, b bed) {
	for range 3 {
		push(t, b.Queue, "orders", sized(100<<10))
	}
	claim(t, b.Queue, "d.1", 1, 1<<20)
	want := queue.State{
		Depth: 2, QueuedBytes: 200 << 10, Claims: 1, ClaimedRecords: 1, ClaimedBytes: 100 << 10, Drainers: 1, DrainerIDs: []string{"d"},
		Accepted: 3, AcceptedBytes: 300 << 10, Exact: true, Settling: true,
	}
	if diff := cmp.Diff(want, inspect(t, b.Queue)); diff != "" {
		t.Errorf("state of a queue that is too large to measure (-want +got):\n%s", diff)
	}
}

func TestInspectWhileClaimsComeAndGo(t *testing.T) {
	t.Parallel()
	q := open(t, queue.Options{})
	done := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			push(t, q, "orders", "x")
			c := claim(t, q, fmt.Sprintf("d.%d", i), 1, 1)
			if _, err := q.Ack(t.Context(), c, nil); err != nil {
				t.Error(err)
			}
		}
	}()
	for range 200 {
		s := inspect(t, q)
		if sum := s.Depth + s.ClaimedRecords + s.Forwarded; sum != s.Accepted {
			t.Errorf("exact %v: %d accepted, %d in queue, claims and forwarded", s.Exact, s.Accepted, sum)
		}
	}
	close(stop)
	<-done
}

func encoded(t testing.TB, at time.Time) string {
	t.Helper()
	b, err := envelope.Encode(envelope.Record{Stream: "orders", ReceivedAt: at, ID: "id", Body: []byte("body")})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
