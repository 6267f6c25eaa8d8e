package local_test

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
	"github.com/data-sink/data-sink/internal/local"
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

func newWakeQueue(t *testing.T, d *drainer) *local.WakeQueue {
	t.Helper()
	d.t, d.began = t, time.Now()
	q := local.NewWakeQueue(local.WakeQueueOptions{
		Function:    &local.Function{Name: "drainer", Timeout: time.Minute, Handler: d.invoke},
		Concurrency: 2, Visibility: 30 * time.Second, MaxReceives: 3, Log: quiet,
	})
	t.Cleanup(q.Close)
	return q
}

func wakeAll(t *testing.T, q *local.WakeQueue, delay time.Duration, streams ...string) {
	t.Helper()
	for _, stream := range streams {
		if err := q.Wake(t.Context(), stream, delay); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWakeUpsComeAfterTheirDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &drainer{}
		q := newWakeQueue(t, d)
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
		"error":           func(string) (string, error) { return "", errors.New("Redis is away") },
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
				q := newWakeQueue(t, d)
				wakeAll(t, q, 0, "a")
				time.Sleep(time.Hour)
				want := []woken{{"a", 0}, {"a", 30 * time.Second}, {"a", time.Minute}}
				calls, _ := d.seen()
				if diff := cmp.Diff(want, calls); diff != "" || q.DeadLetters() != 0 {
					t.Errorf("%d dead letters, and wake-ups differ (-want +got):\n%s", q.DeadLetters(), diff)
				}
			})
		})
	}
}

func TestWakeUpsThatAlwaysFailAreDeadLetters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &drainer{answer: func(int, string) (string, error) { return "", errors.New("Redis is away") }}
		q := newWakeQueue(t, d)
		wakeAll(t, q, 0, "a")
		time.Sleep(time.Hour)
		if calls, _ := d.seen(); len(calls) != 3 || q.DeadLetters() != 1 {
			t.Errorf("%d calls and %d dead letters, want 3 and 1", len(calls), q.DeadLetters())
		}
	})
}

// While all drainers are at work, wake-ups of one stream do not pile up.
func TestWakeUpsThatWaitAreOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &drainer{answer: func(int, string) (string, error) { time.Sleep(10 * time.Second); return "{}", nil }}
		q := newWakeQueue(t, d)
		for range 50 {
			wakeAll(t, q, 0, "a", "b", "c")
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		counts := make(map[string]int)
		calls, most := d.seen()
		for _, c := range calls {
			counts[c.Stream]++
		}
		if len(counts) != 3 || len(calls) > 6 || most != 2 {
			t.Errorf("calls %v, at most %d at once, want each stream once or twice and 2 at once", counts, most)
		}
	})
}

func TestWakeQueueCloseWaitsForWhatRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := false
		d := &drainer{answer: func(int, string) (string, error) { time.Sleep(10 * time.Second); ended = true; return "{}", nil }}
		q := newWakeQueue(t, d)
		wakeAll(t, q, 0, "a")
		wakeAll(t, q, time.Hour, "b")
		synctest.Wait()
		q.Close()
		if calls, _ := d.seen(); !ended || len(calls) != 1 || time.Since(d.began) != 10*time.Second {
			t.Errorf("Close returned after %v, ended %v, with calls %v", time.Since(d.began), ended, calls)
		}
		if err := q.Wake(t.Context(), "a", 0); err == nil {
			t.Error("Wake of a closed queue: no error")
		}
	})
}
