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
	id     string // id that ingest returned
	status int    // 0 if there was no answer
	// due is the time at which the request was due. took is the time from then to
	// the answer, which includes the wait for a process and its start.
	due  time.Time
	took time.Duration
}

// count returns the number of posts with a status.
func count(posts []post, status int) int {
	n := 0
	for _, p := range posts {
		if p.status == status {
			n++
		}
	}
	return n
}

// steady posts rate requests a second until ctx ends, in bursts of burst concurrent
// requests. Each request is sent at its time, even if earlier ones are not answered,
// as independent clients do. next is called concurrently with the position in the
// burst. steady returns when all requests are answered.
func (s *suite) steady(ctx context.Context, rate, burst int, next func(at int) (r record, authorization string)) []post {
	var mu sync.Mutex
	var posts []post
	var wg sync.WaitGroup
	begun := time.Now()
	for i := 0; ; i++ {
		due := begun.Add(time.Duration(i-i%burst) * time.Second / time.Duration(rate))
		if !backoff.Sleep(ctx, time.Until(due)) {
			break
		}
		wg.Go(func() {
			r, authorization := next(i % burst)
			p := post{n: r.n, due: due}
			p.status, p.id = s.load.post(r, authorization)
			p.took = time.Since(due)
			mu.Lock()
			defer mu.Unlock()
			posts = append(posts, p)
		})
	}
	wg.Wait()
	return posts
}

// whileSending posts healthy records while do runs, as steady does.
func (s *suite) whileSending(ctx context.Context, rate, burst int, authorization func(at int) string, do func(context.Context)) []post {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var posts []post
	var wg sync.WaitGroup
	wg.Go(func() {
		posts = s.steady(ctx, rate, burst, func(at int) (record, string) { return s.ledger.nextHealthy(), authorization(at) })
	})
	do(ctx)
	cancel()
	wg.Wait()
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

// latency is a distribution of durations.
type latency struct{ p50, p99, max time.Duration }

func newLatency(all []time.Duration) latency {
	if len(all) == 0 {
		return latency{}
	}
	slices.Sort(all)
	at := func(share float64) time.Duration { return all[int(share*float64(len(all)-1))] }
	return latency{p50: at(0.5), p99: at(0.99), max: at(1)}
}

// String returns p50, p99 and max in milliseconds.
func (l latency) String() string {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return fmt.Sprintf("p50=%.1fms p99=%.1fms max=%.1fms", ms(l.p50), ms(l.p99), ms(l.max))
}
