package local

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/google/go-cmp/cmp"
)

// pushQueue is a queue whose pushes wait until release is closed. It keeps the
// envelopes of each push.
type pushQueue struct {
	Queue
	mu      sync.Mutex // guards pushes
	release chan struct{}
	err     error
	pushes  [][]string
}

func (q *pushQueue) Push(_ context.Context, _ string, envelope []byte, _ int64) (queue.Pushed, error) {
	return q.push(envelope)
}

func (q *pushQueue) PushPart(_ context.Context, _ string, p queue.Part, _ int64) (queue.PartPushed, error) {
	pushed, err := q.push(p.Envelopes...)
	return queue.PartPushed{Pushed: pushed, Done: len(p.Envelopes)}, err
}

func (q *pushQueue) push(envelopes ...[]byte) (queue.Pushed, error) {
	var texts []string
	for _, e := range envelopes {
		texts = append(texts, string(e))
	}
	q.mu.Lock()
	q.pushes = append(q.pushes, texts)
	q.mu.Unlock()
	<-q.release
	return queue.Pushed{Depth: 7, WakeDue: true}, q.err
}

// result is the result of a Push.
type result struct {
	pushed queue.Pushed
	err    error
}

// pushAtOnce pushes the envelopes in their order, all while the push of the first one
// is under way, and returns the results in the same order.
func pushAtOnce(t *testing.T, g *groupCommit, q *pushQueue, limit int64, envelopes ...string) []result {
	t.Helper()
	results := make([]result, len(envelopes))
	for i, e := range envelopes {
		go func() { results[i].pushed, results[i].err = g.Push(t.Context(), "orders", []byte(e), limit) }()
		synctest.Wait()
	}
	close(q.release)
	synctest.Wait()
	return results
}

func TestPushesAtTheSameTimeAreOnePush(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &pushQueue{release: make(chan struct{})}
		g := newGroupCommit(q)
		results := pushAtOnce(t, g, q, 0, "a", "b", "c", "d")
		if diff := cmp.Diff([][]string{{"a"}, {"b", "c", "d"}}, q.pushes); diff != "" {
			t.Errorf("pushes (-want +got):\n%s", diff)
		}
		wakes := 0
		for i, r := range results {
			if r.err != nil || r.pushed.Depth != 7 {
				t.Errorf("push %d = %+v, %v, want the result of the queue", i, r.pushed, r.err)
			}
			if r.pushed.WakeDue {
				wakes++
			}
		}
		if wakes != 2 {
			t.Errorf("%d callers were told to send a wake-up after 2 pushes of which each made one due, want 2", wakes)
		}
		if len(g.waiting) != 0 {
			t.Errorf("%d streams have waiting pushes after the last push, want 0", len(g.waiting))
		}
	})
}

func TestAFailedPushFailsForAllItsCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &pushQueue{release: make(chan struct{}), err: errors.New("refused")}
		for i, r := range pushAtOnce(t, newGroupCommit(q), q, 0, "a", "b", "c") {
			if !errors.Is(r.err, q.err) {
				t.Errorf("push %d: error %v, want %v", i, r.err, q.err)
			}
		}
	})
}

func TestAnEnvelopeWhoseCallerGaveUpIsNotPushed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &pushQueue{release: make(chan struct{})}
		gone, cancel := context.WithCancel(t.Context())
		g := newGroupCommit(q)
		go func() { _, _ = g.Push(t.Context(), "orders", []byte("first"), 0) }()
		synctest.Wait()
		failed := make(chan error, 1)
		go func() {
			_, err := g.Push(gone, "orders", []byte("given up"), 0)
			failed <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("the push of a caller that gave up: %v, want %v", err, context.Canceled)
		}
		pushAtOnce(t, g, q, 0, "last")
		if diff := cmp.Diff([][]string{{"first"}, {"last"}}, q.pushes); diff != "" {
			t.Errorf("pushes (-want +got):\n%s", diff)
		}
	})
}

func TestAStreamWithALimitIsPushedOneByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &pushQueue{release: make(chan struct{})}
		pushAtOnce(t, newGroupCommit(q), q, 1<<20, "a", "b", "c")
		if diff := cmp.Diff([][]string{{"a"}, {"b"}, {"c"}}, q.pushes); diff != "" {
			t.Errorf("pushes (-want +got):\n%s", diff)
		}
	})
}

// A group is as large as a part at most.
func TestAGroupIsAPart(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		size  int
		n     int
		first int // the envelopes in the first group
	}{
		{"many", 1, queue.MaxPartEnvelopes + 1, queue.MaxPartEnvelopes},
		{"large", queue.MaxPartBytes / 2, 3, 2},
		{"one over the limit", queue.MaxPartBytes + 1, 2, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGroupCommit(nil)
			for range tt.n {
				g.waiting["orders"] = append(g.waiting["orders"], &waitingPush{ctx: t.Context(), envelope: make([]byte, tt.size)})
			}
			first, second := len(g.next("orders")), len(g.next("orders"))
			if first != tt.first || second != tt.n-tt.first {
				t.Errorf("groups of %d and %d envelopes, want %d and %d", first, second, tt.first, tt.n-tt.first)
			}
		})
	}
}
