package sink_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/google/go-cmp/cmp"
)

// timed records when each call began.
type timed struct {
	script
	begun []time.Time
}

func (s *timed) Put(ctx context.Context, stream string, entries []sink.Entry) ([]sink.Failure, error) {
	s.begun = append(s.begun, time.Now())
	return s.script.Put(ctx, stream, entries)
}

func (s *timed) waits() []time.Duration {
	var waits []time.Duration
	for i := range len(s.begun) - 1 {
		waits = append(waits, s.begun[i+1].Sub(s.begun[i]))
	}
	return waits
}

func TestWaitsAreRandomPartsOfADoublingDelay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		base, max time.Duration
		answers   []answer
		ceilings  []time.Duration
	}{
		{
			"defaults", 0, 0, slices.Repeat([]answer{fails(errUnknown)}, 9),
			[]time.Duration{50e6, 100e6, 200e6, 400e6, 800e6, 1600e6, 3200e6, 5e9, 5e9},
		},
		{
			"settings", time.Second, 3 * time.Second, slices.Repeat([]answer{fails(errThrottled)}, 4),
			[]time.Duration{1e9, 2e9, 3e9, 3e9},
		},
		{
			"a base over the most", time.Second, 20 * time.Millisecond, slices.Repeat([]answer{fails(errThrottled)}, 2),
			[]time.Duration{20e6, 20e6},
		},
		{
			"progress starts anew", 0, 0,
			[]answer{fails(errUnknown), fails(errUnknown), refusesFirst(4, errThrottled), refusesFirst(9, errThrottled), refusesFirst(9, errThrottled), refusesFirst(1, errThrottled)},
			[]time.Duration{50e6, 100e6, 50e6, 50e6, 100e6, 50e6},
		},
		{
			"halving does not wait", 0, 0,
			[]answer{fails(errInvalid), fails(errThrottled), all},
			[]time.Duration{0, 50e6, 0},
		},
		{
			"no failure, no wait", 0, 0,
			[]answer{all},
			[]time.Duration{0},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				longest := make([]time.Duration, len(tt.ceilings))
				shortest := slices.Clone(tt.ceilings)
				for range 60 {
					service := timed{script: script{answers: tt.answers}}
					w := sink.Writer{Service: &service, Limits: sink.Limits{Entries: 5}, BaseDelay: tt.base, MaxDelay: tt.max}
					if got := w.Put(t.Context(), "s", numbered(6)); got.Left != nil {
						t.Fatalf("left %v: %v", got.Left, got.Err)
					}
					for i, wait := range service.waits()[:len(tt.ceilings)] {
						longest[i] = max(longest[i], wait)
						shortest[i] = min(shortest[i], wait)
					}
				}
				for i, ceiling := range tt.ceilings {
					// The chance that all 60 random parts are over, or under, the half is 2^-60.
					if longest[i] > ceiling || longest[i] < ceiling/2 || shortest[i] > ceiling/2 {
						t.Errorf("waits after call %d: %v to %v, want random parts of %v", i, shortest[i], longest[i], ceiling)
					}
				}
			})
		})
	}
}

func TestMaxAttemptsBoundsCallsWithoutProgress(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		answers []answer
		calls   int
		left    []int
	}{
		{"failed calls", always(fails(errUnknown)), 3, []int{0, 1, 2, 3, 4, 5}},
		{"refused entries", always(refusesFirst(4, errThrottled)), 3, []int{0, 1, 2, 3, 4, 5}},
		{"with progress between", append([]answer{fails(errThrottled), fails(errThrottled), refusesFirst(3, errThrottled)}, always(fails(errThrottled))...), 6, []int{0, 1, 2, 4, 5}},
		{"invalid is progress", append([]answer{fails(errUnknown), fails(errUnknown), refuses(errInvalid, 3)}, always(fails(errThrottled))...), 6, []int{4, 5}},
		{"a stubborn entry among good ones", always(refusesFirst(1, errUnknown)), 5, []int{0}},
		{"halving counts neither way", append([]answer{fails(errThrottled), fails(errInvalid), fails(errThrottled), fails(errInvalid)}, always(fails(errThrottled))...), 5, []int{0, 1, 2, 3, 4, 5}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				service := timed{script: script{answers: tt.answers}}
				w := sink.Writer{Service: &service, Limits: sink.Limits{Entries: 4}, MaxAttempts: 3}
				got := w.Put(t.Context(), "datasink.orders", numbered(6))
				if got.Calls != tt.calls {
					t.Errorf("%d calls, want %d", got.Calls, tt.calls)
				}
				if diff := cmp.Diff(tt.left, got.Left); diff != "" {
					t.Errorf("left differs (-want +got):\n%s", diff)
				}
				if got.Err == nil || !time.Now().Equal(service.begun[len(service.begun)-1]) {
					t.Errorf("error %v, and %v after the last call, want one at once", got.Err, time.Since(service.begun[len(service.begun)-1]))
				}
			})
		})
	}
}

func TestErrIsTheLastErrorOfTheService(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := script{answers: []answer{fails(errUnknown), fails(errThrottled)}}
		w := sink.Writer{Service: &service, Limits: sink.KinesisLimits, MaxAttempts: 2}
		got := w.Put(t.Context(), "datasink.orders", numbered(3))
		const want = "putting 3 entries to datasink.orders: PutRecords: LimitExceededException: throttled"
		if !errors.Is(got.Err, sink.ErrThrottled) || got.Err.Error() != want {
			t.Errorf("error = %v, want %s", got.Err, want)
		}
	})
}

func TestContextThatEnds(t *testing.T) {
	t.Parallel()
	t.Run("before the first call", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var service script
		w := sink.Writer{Service: &service, Limits: sink.Limits{EntryBytes: 3}}
		got := w.Put(ctx, "s", sized(3, 4, 3))
		if got.Calls != 0 || !slices.Equal(got.Left, []int{0, 2}) || len(got.Invalid) != 1 || !errors.Is(got.Err, context.Canceled) {
			t.Errorf("result = %+v, want no call, 0 and 2 left, 1 invalid", got)
		}
	})
	t.Run("in a wait", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			service := script{answers: always(refusesFirst(2, errThrottled))}
			// The waits last years, so the context ends during a wait.
			w := sink.Writer{Service: &service, Limits: sink.KinesisLimits, BaseDelay: 1e18, MaxDelay: 1e18}
			time.AfterFunc(time.Millisecond, cancel)
			begun := time.Now()
			got := w.Put(ctx, "s", numbered(5))
			if got.Calls != 1 || !slices.Equal(got.Left, []int{0, 1}) || time.Since(begun) != time.Millisecond {
				t.Errorf("result = %+v after %v, want 0 and 1 left after 1ms", got, time.Since(begun))
			}
			if !errors.Is(got.Err, context.Canceled) || !errors.Is(got.Err, sink.ErrThrottled) {
				t.Errorf("error = %v, want both the context's and the service's", got.Err)
			}
		})
	})
	t.Run("between two calls", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		service := script{answers: []answer{func([]sink.Entry) ([]sink.Failure, error) { cancel(); return nil, nil }}}
		w := sink.Writer{Service: &service, Limits: sink.Limits{Entries: 2}}
		got := w.Put(ctx, "s", numbered(5))
		if got.Calls != 1 || !slices.Equal(got.Left, []int{2, 3, 4}) || !errors.Is(got.Err, context.Canceled) {
			t.Errorf("result = %+v, want the answer to count and no further call", got)
		}
	})
	t.Run("in a call", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			w := sink.Writer{Limits: sink.Limits{Entries: 2}, Service: fakeService{func(ctx context.Context, _ string, _ []sink.Entry) ([]sink.Failure, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}}}
			got := w.Put(ctx, "s", numbered(3))
			if got.Calls != 1 || !slices.Equal(got.Left, []int{0, 1, 2}) || !errors.Is(got.Err, context.DeadlineExceeded) {
				t.Errorf("result = %+v, want one call and all left", got)
			}
		})
	})
}

func TestPutNeverOutlastsTheDeadlineAndDoesNotWaitForIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		early := false
		for range 60 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			service := timed{script: script{answers: always(fails(errThrottled))}}
			w := sink.Writer{Service: &service, Limits: sink.KinesisLimits, BaseDelay: time.Second, MaxDelay: time.Hour}
			begun := time.Now()
			got := w.Put(ctx, "s", numbered(1))
			took := time.Since(begun)
			if took >= time.Minute || !errors.Is(got.Err, sink.ErrThrottled) || len(got.Left) != 1 {
				t.Errorf("after %v: %+v, want it before the minute's end", took, got)
			}
			if last := service.begun[len(service.begun)-1]; !time.Now().Equal(last) {
				t.Errorf("returned %v after its last call, want at once", time.Since(last))
			}
			early = early || took < 50*time.Second
			cancel()
		}
		if !early {
			t.Error("each of 60 puts lasted 50 s or more: did they wait for the deadline?")
		}
	})
}
