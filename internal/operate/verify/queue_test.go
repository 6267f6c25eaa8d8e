package verify_test

import (
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/operate/verify"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/rig/redistest"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

func TestTheQueueMustAddUp(t *testing.T) {
	t.Parallel()
	within := base.Add(time.Minute)
	// In order: 10 records of 10 bytes each.
	inOrder := queue.State{
		Accepted: 10, AcceptedBytes: 100, Depth: 1, QueuedBytes: 10, ClaimedRecords: 2, ClaimedBytes: 20,
		Forwarded: 3, ForwardedBytes: 30, DeadLettered: 4, DeadLetteredBytes: 40, Exact: true, Measured: true,
	}
	for _, tt := range []struct {
		name   string
		change func(s *queue.State)
		want   []verify.Kind
	}{
		{"in order", func(*queue.State) {}, nil},
		{"a record is missing", func(s *queue.State) { s.Depth, s.Measured = 0, false }, []verify.Kind{verify.Unbalanced}},
		{"bytes are missing", func(s *queue.State) { s.QueuedBytes = 9 }, []verify.Kind{verify.Unbalanced}},
		{"derived bytes prove nothing", func(s *queue.State) { s.QueuedBytes, s.Measured = 9, false }, nil},
		{"numbers of several moments prove nothing", func(s *queue.State) { s.Depth, s.QueuedBytes, s.Exact = 0, 0, false }, nil},
		{"a counter that is being set right proves nothing", func(s *queue.State) { s.Accepted, s.Settling = 7, true }, nil},
		{"lost in the window", func(s *queue.State) {
			s.Depth, s.QueuedBytes, s.Lost, s.LostBytes, s.LostAt = 0, 0, 1, 10, within
		}, []verify.Kind{verify.Lost}},
		{"lost before the window", func(s *queue.State) {
			s.Depth, s.QueuedBytes, s.Lost, s.LostBytes, s.LostAt = 0, 0, 1, 10, base.Add(-time.Second)
		}, nil},
		{"forwarded too often", func(s *queue.State) {
			s.Forwarded, s.ForwardedBytes, s.Lost, s.LostBytes, s.LostAt = 4, 40, -1, -10, within
		}, []verify.Kind{verify.Twice}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			state := inOrder
			tt.change(&state)
			c := newWorld(t).config()
			c.Queue = &state
			var got []verify.Kind
			for _, f := range run(t, c).Findings {
				got = append(got, f.Kind)
				if f.Hop != verify.HopQueue {
					t.Errorf("finding %v, want one of the queue", f)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings differ (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAVanishedQueueIsFound deletes a queue with records from Redis.
func TestAVanishedQueueIsFound(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	q, err := queue.Open(queue.Options{URL: s.URL, Deployment: "d", PushTimeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	for range 1000 {
		if _, err := q.Push(t.Context(), "orders", []byte("an envelope"), 0); err != nil {
			t.Fatal(err)
		}
	}
	inspect := func() []verify.Finding {
		state, err := q.Inspect(t.Context(), "orders")
		if err != nil {
			t.Fatal(err)
		}
		state.Settling = false // as from 15 minutes after the first sweep on
		c := newWorld(t).config()
		c.Queue = &state
		return run(t, c).Findings
	}
	if found := inspect(); len(found) != 0 {
		t.Fatalf("findings %v before, want none", found)
	}
	admin := redis.NewClient(&redis.Options{Addr: s.Addr})
	t.Cleanup(func() { _ = admin.Close() })
	if err := admin.Del(t.Context(), "d:{orders}:queue").Err(); err != nil {
		t.Fatal(err)
	}
	found := inspect()
	if len(found) == 0 || found[0].Kind != verify.Unbalanced {
		t.Errorf("findings %v of 1,000 records that are gone, want unbalanced", found)
	}
}
