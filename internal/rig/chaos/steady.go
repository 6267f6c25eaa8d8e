package chaos

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/backoff"
)

// post is one request of a steady load and its answer.
type post struct {
	n      int    // of the record
	at     int    // position in its burst
	id     string // id that ingest returned
	status int    // 0 if there was no answer
	// due is the time at which the request was due. took is the time from then to
	// the answer, which includes the wait for a process and its start.
	due  time.Time
	took time.Duration
}

// steady posts rate requests a second until ctx ends, in bursts of burst concurrent
// requests. Each request is sent at its time, even if earlier ones are not answered,
// as independent clients do. next is called concurrently with the position in the
// burst. steady returns when all requests are answered, with the posts ordered by
// due.
func (s *suite) steady(ctx context.Context, rate, burst int, next func(at int) (r record, authorization string)) []post {
	var mu sync.Mutex
	var posts []post
	var wg sync.WaitGroup
	begun := time.Now()
	for i := 0; ; i++ {
		due := begun.Add(time.Duration(i-i%burst) * time.Second / time.Duration(rate))
		backoff.Sleep(ctx, time.Until(due))
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			r, authorization := next(i % burst)
			p := post{n: r.n, at: i % burst, due: due}
			p.status, p.id = s.load.post(r, authorization)
			p.took = time.Since(due)
			mu.Lock()
			defer mu.Unlock()
			posts = append(posts, p)
		})
	}
	wg.Wait()
	slices.SortFunc(posts, func(a, b post) int { return a.due.Compare(b.due) })
	return posts
}

// warm starts processes of ingest, so that a load does not begin with cold starts.
func (s *suite) warm(processes int, authorization string) {
	var wg sync.WaitGroup
	for range processes {
		wg.Go(func() { s.load.post(s.ledger.nextHealthy(), authorization) })
	}
	wg.Wait()
}

// Latency is a distribution of durations.
type Latency struct {
	Count         int
	P50, P99, Max time.Duration
}

func newLatency(all []time.Duration) Latency {
	if len(all) == 0 {
		return Latency{}
	}
	slices.Sort(all)
	at := func(share float64) time.Duration { return all[int(share*float64(len(all)-1))] }
	return Latency{Count: len(all), P50: at(0.5), P99: at(0.99), Max: at(1)}
}

// String returns p50, p99 and max in milliseconds.
func (l Latency) String() string {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return fmt.Sprintf("p50=%.1fms p99=%.1fms max=%.1fms", ms(l.P50), ms(l.P99), ms(l.Max))
}
