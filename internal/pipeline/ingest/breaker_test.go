package ingest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/google/go-cmp/cmp"
)

// While Redis is down, only a few requests wait for the time-out of a push.
func TestBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pushes, dead := 0, true
		s := newService(t, func(s *service) {
			s.queue.push = func(ctx context.Context, _ string, _ []byte, _ int64) (queue.Pushed, error) {
				pushes++
				if dead {
					<-ctx.Done()
					return queue.Pushed{}, ctx.Err()
				}
				return queue.Pushed{}, nil
			}
		})
		minute := func() (waited time.Duration) {
			for range 600 {
				start := time.Now()
				s.do(post(t, "hello"), 202)
				waited += time.Since(start)
				time.Sleep(100 * time.Millisecond)
			}
			return waited
		}
		if waited := minute(); pushes > 15 || waited > 15*250*time.Millisecond {
			t.Errorf("600 requests in a minute: %d pushes and %v of waiting, want at most 15 pushes", pushes, waited)
		}
		if len(s.archive.puts) != 600 {
			t.Errorf("%d records archived, want 600", len(s.archive.puts))
		}
		pushes, dead = 0, false
		if minute(); pushes < 540 {
			t.Errorf("after Redis came back %d of 600 records were pushed", pushes)
		}
		changes := map[any]int{}
		for _, line := range s.lines() {
			if line["msg"] == "queue_breaker_changed" {
				changes[line["to"]]++
			}
		}
		if changes["open"] == 0 || changes["closed"] != 1 {
			t.Errorf("breaker changes = %v, want it to have opened, and closed once", changes)
		}
	})
}

func TestWhatDoesNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		ctx context.Context
		err error
	}{
		"backlog full":           {t.Context(), queue.ErrBacklogFull},
		"caller gone":            {gone, context.Canceled},
		"caller gone, otherwise": {gone, errDown},
	} {
		pushes := 0
		s := newService(t, func(s *service) {
			s.queue.push = func(context.Context, string, []byte, int64) (queue.Pushed, error) {
				pushes++
				return queue.Pushed{}, tt.err
			}
		})
		if err := s.config.Credentials.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			s.read(s.invoke(tt.ctx, event(t, post(t, "hello"))), 202)
		}
		if pushes != 20 {
			t.Errorf("%s: %d of 20 pushes were tried", name, pushes)
		}
	}
}

// redisError is an error reply of Redis.
type redisError string

func (e redisError) Error() string { return string(e) }
func (redisError) RedisError()     {}

// A push that Redis refuses for moments is repeated within its time. Such refusals
// do not open the breaker.
func TestTransientErrorsAreRetried(t *testing.T) {
	t.Parallel()
	for _, reply := range []redisError{"TRYAGAIN slot", "MOVED 1 a:1", "ASK 1 a:1", "LOADING data"} {
		synctest.Test(t, func(t *testing.T) {
			pushes := 0
			s := newService(t, func(s *service) {
				s.queue.push = func(context.Context, string, []byte, int64) (queue.Pushed, error) {
					if pushes++; pushes < 5 {
						return queue.Pushed{}, reply
					}
					return queue.Pushed{}, nil
				}
			})
			s.do(post(t, "hello"), 202)
			if pushes != 5 || len(s.archive.puts) != 0 {
				t.Errorf("%s: %d pushes and %d direct records, want 5 and 0", reply, pushes, len(s.archive.puts))
			}
			s.queue.push = func(context.Context, string, []byte, int64) (queue.Pushed, error) { return queue.Pushed{}, reply }
			start := time.Now()
			for range 10 { // more than open the breaker
				s.do(post(t, "hello"), 202)
			}
			if waited := time.Since(start); waited != 10*250*time.Millisecond || len(s.archive.puts) != 10 {
				t.Errorf("%s: %d direct records after %v, want 10 after 2.5s", reply, len(s.archive.puts), waited)
			}
		})
	}
}

// The failing pushes of one stream do not stop the pushes of another.
func TestEachStreamHasABreaker(t *testing.T) {
	t.Parallel()
	pushes := make(map[string]int)
	s := newService(t, func(s *service) {
		s.queue.push = func(_ context.Context, name string, _ []byte, _ int64) (queue.Pushed, error) {
			pushes[name]++
			if name == "orders" {
				return queue.Pushed{}, errDown
			}
			return queue.Pushed{}, nil
		}
	})
	for range 10 {
		s.do(post(t, "hello"), 202)
		s.do(post(t, "hello", at("/archives/legacy")), 202)
	}
	if diff := cmp.Diff(map[string]int{"orders": 3, "legacy": 10}, pushes); diff != "" {
		t.Errorf("pushes (-want +got):\n%s", diff)
	}
}
