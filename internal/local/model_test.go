package local_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

var seeds = flag.Int("seeds", 4, "how many schedules of faults to run")

// TestNothingIsLost runs the whole pipeline under seeded schedules of faults:
// throttled entries, calls that fail before and after they took effect, at every
// hop; drainers and bridges that are killed; leases that run out; records that no
// service accepts. Every acknowledged record must be kept, byte for byte, and
// without faults exactly once.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	for seed := range uint64(*seeds) {
		for _, rate := range []float64{0, 0.02, 0.15} {
			if rate == 0 && seed > 1 {
				continue
			}
			t.Run(fmt.Sprintf("seed %d, %v of calls fail", seed, rate), func(t *testing.T) {
				t.Parallel()
				underFaults(t, seed, rate)
			})
		}
	}
}

func underFaults(t *testing.T, seed uint64, rate float64) {
	const senders, records = 8, 40
	c := newChaos(seed, rate)
	o := options(t)
	o.Seams = c.seams()
	o.Lease, o.SweepInterval = 300*time.Millisecond, 100*time.Millisecond
	if rate == 0 {
		o.Lease = time.Minute // No lease expires, so that no record may come twice.
	}
	if seed%2 == 1 {
		o.MaxRetries = 3 // Batches are discarded.
	}
	p := start(t, o)
	l := newTally(o.Streams)
	names := o.Streams.Names()
	var refused atomic.Int64
	var wg sync.WaitGroup
	for sender := range senders {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(sender)))
			for i := range records {
				name := names[r.IntN(len(names))]
				body := randomBody(r, 1+r.IntN(2000))
				switch {
				case i%20 == 3:
					body = append([]byte(poison), body...)
				case i%20 == 7:
					body = randomBody(r, 1_200_000) // It becomes a direct record.
				}
				request, kept := clientRequest(t, r, p.url, name, name == "legacy-archives", body)
				e := l.sending(name, kept)
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Error(err)
					continue
				}
				_ = response.Body.Close() // Only the status is of interest.
				switch response.StatusCode {
				case 202:
					l.acked(e)
				case 503:
					refused.Add(1)
				default:
					t.Errorf("status %d", response.StatusCode)
				}
			}
		})
	}
	wg.Wait()
	time.Sleep(200 * time.Millisecond) // Faults without load.
	c.over.Store(true)
	p.stop(t)
	l.find(t, p.root)
	acked, twice := l.totals(t)
	t.Logf("%d acknowledged, %d refused, %d archived twice, %d faults, %d kills", acked, refused.Load(), twice, c.faults.Load(), c.kills.Load())
	if acked+int(refused.Load()) != senders*records {
		t.Errorf("%d acknowledged and %d refused of %d", acked, refused.Load(), senders*records)
	}
	if rate == 0 && (twice > 0 || refused.Load() > 0) {
		t.Errorf("%d archived twice and %d refused without a fault", twice, refused.Load())
	}
	if rate > 0.1 && c.faults.Load() < 30 {
		t.Errorf("%d faults: too few to show anything", c.faults.Load())
	}
}

// The test finds a service that acknowledges a record and drops it.
func TestALossIsFound(t *testing.T) {
	t.Parallel()
	o := options(t)
	var calls atomic.Int64
	o.Seams.Kinesis = func(s sink.Service) sink.Service { return liar{s, &calls} }
	p := start(t, o)
	l := newTally(o.Streams)
	for i := range 20 {
		body := fmt.Sprint("record ", i)
		e := l.sending("orders", []byte(body))
		p.post(t, "orders", body)
		l.acked(e)
		waitFor(t, "the drainer", func() bool { return calls.Load() > int64(i) })
	}
	p.stop(t)
	spy := &failureSpy{TB: t}
	l.find(spy, p.root)
	if l.totals(spy); !spy.failed {
		t.Error("Kinesis dropped a call, and the check of the archive did not fail")
	}
}

// liar drops the fifth call.
type liar struct {
	sink.Service
	calls *atomic.Int64
}

func (l liar) Put(ctx context.Context, stream string, entries []sink.Entry) ([]sink.Failure, error) {
	if l.calls.Add(1) == 5 {
		return nil, nil
	}
	return l.Service.Put(ctx, stream, entries)
}

// The checks that the tests of this package rely on can fail.
func TestTheTallyFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		object       string
		fails        bool
		acked, twice int
	}{
		"all":          {object: "one\ntwo\nthe third of them\n", acked: 3},
		"another way":  {object: "the third of them\ntwo\none\n", acked: 3},
		"one is lost":  {object: "one\nthe third of them\n", fails: true, acked: 3},
		"one is twice": {object: "one\ntwo\none\nthe third of them\n", acked: 3, twice: 1},
		"a byte":       {object: "one\ntwo\nthe third of tham\n", fails: true, acked: 3},
		"cut":          {object: "one\ntwo\nthe third of them", fails: true, acked: 3},
		"one more":     {object: "one\ntwo\nthe third of them\nx\n", fails: true, acked: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			if err := os.MkdirAll(filepath.Join(root, "orders"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, "orders", "x"), []byte(tt.object), 0o600); err != nil {
				t.Fatal(err)
			}
			l := newTally(ours(t))
			for _, body := range []string{"one", "two", "the third of them"} {
				l.acked(l.sending("orders", []byte(body)))
			}
			spy := &failureSpy{TB: t}
			l.find(spy, root)
			acked, twice := l.totals(spy)
			if spy.failed != tt.fails || acked != tt.acked || twice != tt.twice {
				t.Errorf("failed %v, %d acknowledged, %d twice, want %v, %d, %d", spy.failed, acked, twice, tt.fails, tt.acked, tt.twice)
			}
		})
	}
}

// failureSpy records that a test would have failed.
type failureSpy struct {
	testing.TB
	failed bool
}

func (s *failureSpy) Errorf(string, ...any) { s.failed = true }
