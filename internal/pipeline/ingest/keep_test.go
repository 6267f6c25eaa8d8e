package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/google/go-cmp/cmp"
)

var errDown = errors.New("down")

// queueDown makes the queue refuse records.
func queueDown(s *service) {
	s.queue.push = func(context.Context, string, []byte, int64) (queue.Pushed, error) { return queue.Pushed{}, errDown }
}

func TestARecordThatTheQueueRefusesBecomesADirectRecord(t *testing.T) {
	t.Parallel()
	s := newService(t, queueDown)
	a := s.do(post(t, "hello", at("/archives/orders?partition_key=k")), 202)
	want := envelope.Record{Stream: "orders", ReceivedAt: s.now, ID: a.ID, PartitionKey: "k", Body: []byte("hello")}
	if diff := cmp.Diff(want, s.kept()); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	if put := s.archive.puts[0]; put.why != archive.Fallback || put.stream.Name != "orders" {
		t.Errorf("archived for %s as %s, want orders and fallback", put.stream.Name, put.why)
	}
	wantLines := []map[string]any{{
		"msg": "record_archived", "level": "WARN", "stream": "orders", "id": a.ID, "reason": "fallback", "records": 1., "bytes": 5., "cause": "down",
		"hash": fmt.Sprintf("%016x", xxhash.Sum64String("hello\n")), "key": "orders/dt=2026-11-22/hour=23/fallback-" + a.ID + ".gz",
	}}
	if diff := cmp.Diff(wantLines, s.lines()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if c := s.total(); c.Archived[archive.Fallback] != 1 || c.Records != 1 {
		t.Errorf("the outcomes add up to %+v", c)
	}
}

func TestQueueAndArchiveDown(t *testing.T) {
	t.Parallel()
	s := newService(t, broken)
	s.do(post(t, "hello"), 503)
	want := []map[string]any{
		{"msg": "archive_failed", "level": "ERROR", "stream": "orders", "reason": "fallback", "records": 1., "bytes": 5., "cause": "queue down", "error": "archive down"},
		{"msg": "record_refused", "level": "WARN", "client": "datasink", "stream": "orders", "code": "unavailable", "detail": "the record cannot be stored at present"},
	}
	lines := s.lines()
	for _, line := range lines {
		delete(line, "id")
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// The archive and the answer get a part of the remaining time, even if it is short.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ left, pushTimeout, push, archive time.Duration }{
		{left: time.Minute, push: 250 * time.Millisecond, archive: 10 * time.Second},
		{left: 8 * time.Second, push: 250 * time.Millisecond, archive: 7550 * time.Millisecond},
		{left: 8 * time.Second, pushTimeout: time.Minute, push: 4 * time.Second, archive: 3800 * time.Millisecond},
		{left: 20 * time.Second, pushTimeout: time.Minute, push: 15 * time.Second, archive: 4800 * time.Millisecond},
		{left: 400 * time.Millisecond, push: 200 * time.Millisecond, archive: 100 * time.Millisecond},
		{push: 250 * time.Millisecond, archive: 10 * time.Second}, // no deadline
	} {
		synctest.Test(t, func(t *testing.T) {
			hang := func(ctx context.Context, took *time.Duration) error {
				start := time.Now()
				<-ctx.Done()
				*took = time.Since(start)
				return ctx.Err()
			}
			var push, put time.Duration
			s := newService(t, func(s *service) {
				if tt.pushTimeout > 0 {
					s.config.PushTimeout = tt.pushTimeout
				}
				s.queue.push = func(ctx context.Context, _ string, _ []byte, _ int64) (queue.Pushed, error) {
					return queue.Pushed{}, hang(ctx, &push)
				}
				s.archive.put = func(ctx context.Context) error { return hang(ctx, &put) }
			})
			ctx := t.Context()
			if tt.left > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tt.left)
				defer cancel()
			}
			s.read(s.invoke(ctx, event(t, post(t, "hello"))), 503)
			if push != tt.push || put != tt.archive {
				t.Errorf("with %v left: push got %v and archive %v, want %v and %v", tt.left, push, put, tt.push, tt.archive)
			}
			if ctx.Err() != nil {
				t.Errorf("with %v left: no time to answer", tt.left)
			}
		})
	}
}

// wakes makes a wake-up due with each push. It counts the wake-ups in n, and each
// returns err.
func wakes(n *int, err error) func(*service) {
	return func(s *service) {
		s.queue.push = func(context.Context, string, []byte, int64) (queue.Pushed, error) {
			return queue.Pushed{WakeDue: true}, nil
		}
		s.config.Wake.Interval = 7 * time.Second
		s.config.Waker = fakeWaker(func(_ context.Context, stream string, delay time.Duration) error {
			if stream != "orders" || delay != 7*time.Second {
				s.tb.Errorf("Wake(%q, %v), want orders, 7s", stream, delay)
			}
			*n++
			return err
		})
	}
}

func TestWake(t *testing.T) {
	t.Parallel()
	n := 0
	s := newService(t, wakes(&n, nil))
	s.do(post(t, "hello"), 202)
	if n != 1 || s.logs.Len() != 0 {
		t.Errorf("%d wake-ups, want 1; logged %q", n, s.logs.String())
	}
}

func TestNoWakeThatIsNotDue(t *testing.T) {
	t.Parallel()
	n := 0
	s := newService(t, wakes(&n, nil), func(s *service) { s.queue.push = nil })
	s.do(post(t, "hello"), 202)
	s = newService(t, wakes(&n, nil), queueDown)
	s.do(post(t, "hello"), 202)
	if n != 0 {
		t.Errorf("%d wake-ups, want none", n)
	}
}

func TestAWakeThatFailsRefusesNothing(t *testing.T) {
	t.Parallel()
	n := 0
	s := newService(t, wakes(&n, errDown))
	s.do(post(t, "hello"), 202)
	if n != 1 {
		t.Errorf("%d wake-ups, want 1", n)
	}
	want := []map[string]any{{"msg": "wake_failed", "level": "WARN", "stream": "orders", "error": "down"}}
	if diff := cmp.Diff(want, s.lines()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if len(s.archive.puts) != 0 {
		t.Error("the record was archived as well")
	}
}

func TestAWakeThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, func(s *service) {
			s.queue.push = func(context.Context, string, []byte, int64) (queue.Pushed, error) {
				return queue.Pushed{WakeDue: true}, nil
			}
			s.config.Waker = fakeWaker(func(ctx context.Context, _ string, _ time.Duration) error {
				<-ctx.Done()
				return ctx.Err()
			})
		})
		start := time.Now()
		s.do(post(t, "hello"), 202)
		if waited := time.Since(start); waited > time.Second {
			t.Errorf("the answer took %v", waited)
		}
	})
}

func TestBypassedQueue(t *testing.T) {
	t.Parallel()
	s := newService(t, func(s *service) { s.config.BypassQueue = true })
	s.do(post(t, "hello"), 202)
	if len(s.queue.records) != 0 || len(s.archive.puts) != 1 {
		t.Fatalf("%d records pushed and %d archived, want 0 and 1", len(s.queue.records), len(s.archive.puts))
	}
	if why := s.archive.puts[0].why; why != archive.Fallback {
		t.Errorf("reason = %s, want fallback", why)
	}
	s.archive.check = func(context.Context) error { return errDown }
	if got := s.invoke(t.Context(), healthEvent()).StatusCode; got != 503 {
		t.Errorf("health without an archive = %d, want 503", got)
	}
}
