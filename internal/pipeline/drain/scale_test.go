package drain_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

func TestClaimsInFlightGrowToTheirLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *drain.Config) { o.ClaimRecords, o.ClaimsInFlight, o.TotalClaims = 1, 5, 100 })
		b.pushRecords(t, "orders", 200)
		b.put = func(context.Context, string, []sink.Entry) sink.Result {
			time.Sleep(10 * time.Millisecond)
			return sink.Result{}
		}
		b.sweep(t)
		if b.most["orders"] != 5 {
			t.Errorf("%d claims at once, want 5", b.most["orders"])
		}
	})
}

func TestClaimsOfAllStreamsAreLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *drain.Config) { o.ClaimRecords, o.ClaimsInFlight, o.TotalClaims = 1, 8, 3 })
		b.pushRecords(t, "orders", 50)
		b.pushRecords(t, "page-views", 50)
		var mu sync.Mutex
		now, most := 0, 0
		b.put = func(context.Context, string, []sink.Entry) sink.Result {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(10 * time.Millisecond)
			mu.Lock()
			now--
			mu.Unlock()
			return sink.Result{}
		}
		b.sweep(t)
		if most != 3 {
			t.Errorf("%d claims of all streams at once, want 3", most)
		}
	})
}

func TestABacklogWakesMoreDrainersInProportion(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		depth  int
		others []string
		want   int
	}{
		{"below the threshold", 100, nil, 0},
		{"three times", 301, nil, 2},
		{"above the maximum", 5000, nil, 4},
		{"another drainer works already", 301, []string{"zz"}, 1},
		{"an older drainer decides", 301, []string{"00"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, func(o *drain.Config) {
					o.ClaimRecords, o.ClaimsInFlight, o.ScaleOutRecords, o.MaxDrainers = 1, 1, 100, 5
				})
				b.others = tt.others
				b.pushRecords(t, "orders", tt.depth)
				// Only the first claims are delivered, so that the drainer decides once.
				n := 0
				b.put = func(ctx context.Context, _ string, entries []sink.Entry) sink.Result {
					if n++; n > 2 {
						return sink.Result{Left: positions(len(entries)), Err: errors.New("enough")}
					}
					time.Sleep(time.Millisecond)
					return sink.Result{}
				}
				b.sweep(t)
				got := 0
				for _, w := range b.wakes {
					if w == "orders 0s" {
						got++
					}
				}
				if got != tt.want {
					t.Errorf("woke %d drainers, want %d: %v", got, tt.want, b.wakes)
				}
			})
		})
	}
}
