package cloud_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/wake"
	"github.com/google/go-cmp/cmp"
)

// drainer notes which streams it is woken for and when.
type drainer struct {
	t     *testing.T
	began time.Time
	// answer says how the call is answered; it may take its time.
	answer func(call int, id string) (string, error)

	mu      sync.Mutex
	running int
	most    int
	calls   []woken
}

type woken struct {
	Stream string
	After  time.Duration
}

func (d *drainer) invoke(_ context.Context, event []byte) ([]byte, error) {
	var e events.SQSEvent
	if err := json.Unmarshal(event, &e); err != nil || len(e.Records) != 1 {
		d.t.Errorf("event %s: want one wake-up, %v", event, err)
		return nil, err
	}
	stream, err := wake.Parse(e.Records[0].Body)
	if err != nil {
		d.t.Error(err)
	}
	d.mu.Lock()
	d.running++
	d.most = max(d.most, d.running)
	d.calls = append(d.calls, woken{stream, time.Since(d.began)})
	call := len(d.calls)
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.running--
		d.mu.Unlock()
	}()
	if d.answer == nil {
		return []byte(`{"batchItemFailures":[]}`), nil
	}
	answer, err := d.answer(call, e.Records[0].MessageId)
	return []byte(answer), err
}

// seen returns the calls so far, and how many there were at once.
func (d *drainer) seen() (calls []woken, most int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.calls), d.most
}

// startMapping runs a mapping to the drainer until the test ends or stop is called.
func startMapping(t *testing.T, d *drainer) (q *cloud.Queue, m *cloud.QueueMapping, stop func()) {
	t.Helper()
	d.t, d.began = t, time.Now()
	q = cloud.NewQueue("wake", nil)
	m = cloud.NewQueueMapping(cloud.QueueMappingOptions{
		Queue: q, Function: &cloud.Function{Name: "drainer", Timeout: time.Minute, Handler: d.invoke},
		Concurrency: 2, Visibility: 6 * time.Minute, Retry: 30 * time.Second, MaxReceives: 3, Log: quiet,
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); m.Run(ctx) }()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return q, m, stop
}

func wakeAll(t *testing.T, q *cloud.Queue, delay time.Duration, streams ...string) {
	t.Helper()
	for _, stream := range streams {
		if _, err := q.Send(t.Context(), `{"stream":"`+stream+`"}`, delay); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWakeUpsComeAfterTheirDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &drainer{}
		q, _, _ := startMapping(t, d)
		wakeAll(t, q, 2*time.Second, "b")
		wakeAll(t, q, time.Second, "a")
		time.Sleep(3 * time.Second)
		calls, _ := d.seen()
		if diff := cmp.Diff([]woken{{"a", time.Second}, {"b", 2 * time.Second}}, calls); diff != "" {
			t.Errorf("wake-ups differ (-want +got):\n%s", diff)
		}
	})
}

func TestWakeUpsThatFailComeAgain(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(id string) (string, error){
		"error":           func(string) (string, error) { return "", errors.New("Redis is unreachable") },
		"given back":      func(id string) (string, error) { return `{"batchItemFailures":[{"itemIdentifier":"` + id + `"}]}`, nil },
		"no valid answer": func(string) (string, error) { return "?", nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &drainer{answer: func(call int, id string) (string, error) {
					if call <= 2 {
						return fail(id)
					}
					return "{}", nil
				}}
				q, m, _ := startMapping(t, d)
				wakeAll(t, q, 0, "a")
				time.Sleep(time.Hour)
				want := []woken{{"a", 0}, {"a", 30 * time.Second}, {"a", time.Minute}}
				calls, _ := d.seen()
				if diff := cmp.Diff(want, calls); diff != "" || m.DeadLetters() != 0 {
					t.Errorf("%d dead letters, and wake-ups differ (-want +got):\n%s", m.DeadLetters(), diff)
				}
			})
		})
	}
}

func TestWakeUpsThatAlwaysFailAreDeadLetters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &drainer{answer: func(int, string) (string, error) { return "", errors.New("Redis is unreachable") }}
		q, m, _ := startMapping(t, d)
		wakeAll(t, q, 0, "a")
		time.Sleep(time.Hour)
		if calls, _ := d.seen(); len(calls) != 3 || m.DeadLetters() != 1 {
			t.Errorf("%d calls and %d dead letters, want 3 and 1", len(calls), m.DeadLetters())
		}
	})
}

// No more invocations than Concurrency run at once, and a message that is being
// delivered is not delivered again.
func TestConcurrencyIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &drainer{answer: func(int, string) (string, error) { time.Sleep(50 * time.Second); return "{}", nil }}
		q, _, _ := startMapping(t, d)
		wakeAll(t, q, 0, "a", "b", "c", "d", "e")
		time.Sleep(10 * time.Minute)
		calls, most := d.seen()
		if len(calls) != 5 || most != 2 {
			t.Errorf("%d calls, %d at once, want 5 and 2", len(calls), most)
		}
		if n := q.Len(); n != 0 {
			t.Errorf("%d messages left, want none", n)
		}
	})
}

func TestRunReturnsWhenInvocationsHaveEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := false
		d := &drainer{answer: func(int, string) (string, error) { time.Sleep(10 * time.Second); ended = true; return "{}", nil }}
		q, _, stop := startMapping(t, d)
		wakeAll(t, q, 0, "a")
		wakeAll(t, q, 10*time.Minute, "b")
		synctest.Wait()
		stop()
		calls, _ := d.seen()
		if len(calls) != 1 {
			t.Errorf("calls %v, want one", calls)
		}
		if after := time.Since(d.began); !ended || after != 10*time.Second {
			t.Errorf("Run returned after %v, with the invocation ended: %v", after, ended)
		}
	})
}
