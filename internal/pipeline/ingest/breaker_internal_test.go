package ingest

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// This file is in package ingest because it tests unexported functions.

var errPush = errors.New("push failed")

// pushes calls b.do once for each result and returns which of them were tried.
func pushes(tb testing.TB, b *breaker, results ...error) []bool {
	tb.Helper()
	tried := make([]bool, len(results))
	for i, result := range results {
		err := b.do(tb.Context(), func() error {
			tried[i] = true
			return result
		})
		if want := result; tried[i] && !errors.Is(err, want) || !tried[i] && !errors.Is(err, errBreakerOpen) {
			tb.Errorf("push %d = %v, want %v", i, err, want)
		}
	}
	return tried
}

func TestBreakerStates(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 23, 7, 31, 0, time.UTC)
	b := newBreaker("orders", func() time.Time { return now }, slog.New(slog.DiscardHandler))
	for _, step := range []struct {
		name    string
		passes  time.Duration
		results []error
		tried   []bool
	}{
		{"failures that are not consecutive", 0, []error{errPush, errPush, nil, errPush, errPush, nil}, []bool{true, true, true, true, true, true}},
		{"three consecutive failures", 0, []error{errPush, errPush, errPush, nil}, []bool{true, true, true, false}},
		{"open", breakerOpen - 1, []error{nil}, []bool{false}},
		{"a trial that fails", 1, []error{errPush, nil}, []bool{true, false}},
		{"a trial without a result", breakerOpen, []error{errCallerGone, errPush, nil}, []bool{true, true, false}},
		{"a trial that succeeds", breakerOpen, []error{nil, nil}, []bool{true, true}},
		{"closed again", 0, []error{errPush, errPush, nil}, []bool{true, true, true}},
		{"open again", 0, []error{errPush, errPush, errPush, nil}, []bool{true, true, true, false}},
		{"the clock is set back", -time.Hour, []error{nil}, []bool{true}},
	} {
		now = now.Add(step.passes)
		if diff := cmp.Diff(step.tried, pushes(t, b, step.results...)); diff != "" {
			t.Fatalf("%s: pushes tried (-want +got):\n%s", step.name, diff)
		}
	}
}

// While a trial runs, other pushes are refused. A push from before the breaker
// opened does not close it.
func TestBreakerWithPushesInFlight(t *testing.T) {
	t.Parallel()
	now := time.Now()
	b := newBreaker("orders", func() time.Time { return now }, slog.New(slog.DiscardHandler))
	if err := b.do(t.Context(), func() error {
		pushes(t, b, errPush, errPush, errPush)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !b.isOpen() {
		t.Error("a push from before the breaker opened has closed it")
	}
	now = now.Add(breakerOpen)
	if b.isOpen() {
		t.Error("the breaker refuses the trial")
	}
	if err := b.do(t.Context(), func() error {
		if !b.isOpen() {
			t.Error("the breaker lets a second push through during the trial")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if b.isOpen() {
		t.Error("the breaker is open after a trial that succeeded")
	}
}
