package drain_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/google/go-cmp/cmp"
)

func TestOldOrphansBecomeDeadLetters(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	old := envelope.Record{Stream: "gone", ReceivedAt: time.Now().Add(-2 * time.Minute), ID: "1", Body: []byte("old")}
	b.push("gone", encode(t, old), []byte("no envelope"))
	b.push("new", encode(t, envelope.Record{Stream: "new", ReceivedAt: time.Now(), ID: "2", Body: []byte("young")}))
	q := agedQueue{b.memoryQueue}
	b = rebench(t, b, func(o *drain.Config) { o.Queue = q })
	b.sweep(t)
	if diff := cmp.Diff([]string{"drainer gone no envelope", "drainer gone old"}, slices.Sorted(maps.Keys(b.dead))); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	if r := b.dead["drainer gone old"]; r.Reason != "the stream is not in streams.json" {
		t.Errorf("reason = %q", r.Reason)
	}
	if got, want := b.state("new"), "depth=1 claims=0 forwarded=0 dead=0 err=<nil>"; got != want {
		t.Errorf("the young queue of an unknown stream: %s, want it left alone: %s", got, want)
	}
}

// agedQueue returns the age of the first envelope, like the real queue.
type agedQueue struct{ *memoryQueue }

func (q agedQueue) Inspect(ctx context.Context, stream string) (queue.State, error) {
	s, err := q.memoryQueue.Inspect(ctx, stream)
	q.mu.Lock()
	defer q.mu.Unlock()
	if waiting := q.waiting[stream]; len(waiting) > 0 {
		s.OldestReceivedAt, _ = envelope.ReceivedAt(waiting[0])
	}
	return s, err
}

func TestOrphansWaitForTheArchive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.push("gone", []byte("no envelope"))
		b.archiveErr = errors.New("s3 is unreachable")
		if _, err := b.handler.Invoke(t.Context(), []byte(drain.SweepEvent)); err == nil || !strings.Contains(err.Error(), `"gone"`) {
			t.Errorf("sweep = %v, want an error that names the stream", err)
		}
		if got, want := b.state("gone"), "depth=1 claims=0 forwarded=0 dead=0 err=<nil>"; got != want {
			t.Errorf("queue: %s, want %s", got, want)
		}
	})
}
