package bridge_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/bridge"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestSendingEndsBeforeTheDeadline runs the real Writer with a Firehose that always
// throttles.
func TestSendingEndsBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ timeout, most, left time.Duration }{
		"a minute left":        {time.Minute, 58 * time.Second, 500 * time.Millisecond},
		"less than the margin": {time.Second, 500 * time.Millisecond, 250 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				service := &throttled{}
				dead := &deadline{}
				h := bridge.New(bridge.Config{
					Bridge: env.Bridge{Base: env.Base{Name: "datasink"}}, Streams: streams(t), Archive: dead, Log: silent,
					Firehose: bridge.FirehoseWriter(service),
				})
				list := append([]sent{record(0, bytes.Repeat([]byte{'z'}, stream.MaxFramedBytes))}, record(1, []byte("a")), record(2, []byte("b")))
				ctx, cancel := context.WithTimeout(t.Context(), tt.timeout)
				defer cancel()
				start := time.Now()
				if first := invoke(t, h, ctx, event(list)); first != "2" {
					t.Errorf("undelivered from %q on, want 2", first)
				}
				if took := time.Since(start); took > tt.most || service.calls == 0 {
					t.Errorf("answered after %v and %d calls, want %v at most", took, service.calls, tt.most)
				}
				end, _ := ctx.Deadline()
				if left := end.Sub(dead.at); left < tt.left {
					t.Errorf("writing dead letters may last until %v before the deadline, want %v", left, tt.left)
				}
			})
		})
	}
}

type throttled struct{ calls int }

func (s *throttled) Put(context.Context, string, []sink.Entry) ([]sink.Failure, error) {
	s.calls++
	return nil, sink.ErrThrottled
}

// deadline is an archive that records its deadline.
type deadline struct{ at time.Time }

func (d *deadline) PutDeadLetters(ctx context.Context, _, _, _ string, _ []archive.DeadLetter) (string, error) {
	d.at, _ = ctx.Deadline()
	return "key", nil
}

// TestNothingIsLostWhateverFails redelivers a batch until all of it is delivered, to
// a service that refuses entries and fails calls.
func TestNothingIsLostWhateverFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		list := pairs(12)
		service := &flaky{seen: make(map[string]int), dice: rand.New(rand.NewPCG(1, 2))}
		h := bridge.New(bridge.Config{
			Bridge: env.Bridge{Base: env.Base{Name: "datasink"}}, Streams: streams(t), Archive: &failed{}, Log: silent,
			Firehose: &sink.Writer{Service: service, Limits: sink.FirehoseLimits, MaxAttempts: 1},
		})
		left := list
		for runs := 0; len(left) > 0; runs++ {
			if runs == 100 {
				t.Fatal("not done after 100 runs")
			}
			first := invoke(t, h, t.Context(), event(left))
			if first == "" {
				break
			}
			for left[0].sequence != first {
				left = left[1:]
			}
		}
		var want []string
		for i := 0; i < len(list); i += 2 {
			want = append(want, string(list[i].body[:1]))
		}
		var got []string
		for first := range service.seen {
			got = append(got, first)
		}
		if diff := cmp.Diff(want, got, cmpopts.SortSlices(strings.Compare)); diff != "" {
			t.Errorf("delivered Firehose records differ (-want +got):\n%s", diff)
		}
	})
}

// flaky accepts a third of all entries at random, and fails every fourth call.
type flaky struct {
	calls int
	dice  *rand.Rand
	seen  map[string]int
}

func (s *flaky) Put(_ context.Context, _ string, entries []sink.Entry) ([]sink.Failure, error) {
	s.calls++
	if s.calls%4 == 0 {
		return nil, errors.New("internal failure")
	}
	var failures []sink.Failure
	for i, e := range entries {
		if s.dice.IntN(3) != 0 {
			failures = append(failures, sink.Failure{Index: i, Err: sink.ErrThrottled})
			continue
		}
		s.seen[string(e.Data[:1])]++
	}
	return failures, nil
}
