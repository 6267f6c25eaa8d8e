package backoff_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/backoff"
)

func TestJitterStaysWithinItsLimits(t *testing.T) {
	t.Parallel()
	const base, limit = 100 * time.Millisecond, time.Second
	for failures, most := range []time.Duration{base, 2 * base, 4 * base, 8 * base, limit, limit} {
		var longest time.Duration
		for range 1000 {
			pause := backoff.Jitter(failures, base, limit)
			if pause <= 0 || pause > most {
				t.Fatalf("Jitter(%d) = %v, want more than 0 and at most %v", failures, pause, most)
			}
			longest = max(longest, pause)
		}
		if longest < most/2 {
			t.Errorf("the longest of 1000 pauses after %d failures is %v, want up to %v", failures, longest, most)
		}
	}
	if pause := backoff.Jitter(1_000_000, base, limit); pause <= 0 || pause > limit {
		t.Errorf("Jitter after many failures = %v, want at most %v", pause, limit)
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if !backoff.Sleep(ctx, time.Second) || time.Since(began) != time.Second {
			t.Errorf("Sleep ended after %v, want 1s", time.Since(began))
		}
		if backoff.Sleep(ctx, time.Hour) || time.Since(began) != time.Minute {
			t.Errorf("Sleep ended after %v, want the deadline at 1m", time.Since(began))
		}
		if backoff.Sleep(ctx, 0) {
			t.Error("Sleep reports that an ended context has not ended")
		}
	})
}
