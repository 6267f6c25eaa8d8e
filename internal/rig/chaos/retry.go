package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// RetryReport is the result of Retry.
type RetryReport struct {
	Verdict Verdict
	// Resent is the number of records that were sent more than once, Replays the
	// number of tries that found an earlier try of theirs in the queue, and
	// Unanswered the number of records that no try got accepted.
	Resent, Replays, Unanswered int
	// Across is the number of extra copies because the push of one try reached the
	// queue and another try, or the same one after its push timed out, wrote a direct
	// record.
	// Failover is the number of extra copies because two tries reached the queue, one
	// of them before a failover of Redis and one after it.
	Across, Failover int
}

// String returns the report as lines, the last one for the copies.
func (r RetryReport) String() string {
	return fmt.Sprintf("%v\nretry: resent=%d replays=%d unanswered=%d", r.Verdict, r.Resent, r.Replays, r.Unanswered) +
		fmt.Sprintf("\nretry: acked=%d lost=%d client duplicates=%d across outages=%d across failovers=%d other duplicates=%d bound=%d",
			r.Verdict.Acked, r.Verdict.Lost, r.Across+r.Failover, r.Across, r.Failover, r.Verdict.Duplicates, r.Verdict.Bound.Sum())
}

// Err returns the broken promises; nil if there are none.
func (r RetryReport) Err() error {
	var list []error
	if r.Unanswered > 0 {
		list = append(list, fmt.Errorf("%d records were never accepted", r.Unanswered))
	}
	if r.Resent == 0 || r.Replays == 0 {
		list = append(list, fmt.Errorf("%d records were sent again and %d found an earlier try, want some", r.Resent, r.Replays))
	}
	return errors.Join(append(list, r.Verdict.Err())...)
}

// retryFaults are the faults between clients and the queue.
var retryFaults = regexp.MustCompile(`ingest|Redis$|Redis to its|partition|S3`)

// Retry sends every record again, with its idempotency key, until it is accepted,
// while everything between the clients and the queue fails. A key is pushed twice only
// across a failover of Redis. In the verdict these copies, and those that one try
// pushed and another wrote to the archive, do not count as duplicates.
func Retry(ctx context.Context, l Lab) (RetryReport, error) {
	records := 25_000
	if l.Hurry {
		records = 2_000
	}
	var report RetryReport
	set := hurried()
	set.tls, set.keys = false, true
	err := inLab(ctx, l, set, func(s *suite) (err error) {
		s.options = Options{Lab: l, Records: records, Faults: retryFaults}
		if report.Verdict, err = s.run(ctx); err != nil {
			return err
		}
		report.Resent, report.Unanswered = int(s.load.resent.Load()), int(s.load.gaveUp.Load())
		s.pushes.settle(s, &report)
		return nil
	}, func() error { return report.Err() })
	return report, err
}

const (
	// maxTries and retryPause bound the tries of a client that resends.
	maxTries   = 100
	retryPause = 200 * time.Millisecond
)

// sendUntilAccepted sends a record with its key until it is accepted. All accepted
// tries must return one id.
func (l *load) sendUntilAccepted(r record) {
	random := newRandom(uint64(r.n), 6)
	for try := range maxTries {
		if try == 1 {
			l.resent.Add(1)
		}
		status, _ := l.post(r, authorization)
		switch {
		case status == http.StatusAccepted:
			return
		case status != 0 && status < http.StatusInternalServerError && status != http.StatusTooManyRequests:
			l.gaveUp.Add(1)
			return
		}
		time.Sleep(time.Duration(random.Int64N(int64(retryPause))))
	}
	l.gaveUp.Add(1)
}

// idempotencyKey returns the key of record n.
func idempotencyKey(n int) string { return "record-" + strconv.Itoa(n) }

// pushTable counts the pushes of each record that Redis carried out. Safe for
// concurrent use.
type pushTable struct {
	replays atomic.Int64

	mu     sync.Mutex
	pushes map[int][]time.Time // by number of the record
}

func newPushTable() *pushTable { return &pushTable{pushes: make(map[int][]time.Time)} }

// answered records the status of a push of record n, as the queue's script returns it.
func (t *pushTable) answered(n, status int) {
	const pushed, pushedAndWake, replayed = 1, 2, 3
	switch status {
	case replayed:
		t.replays.Add(1)
	case pushed, pushedAndWake:
		t.mu.Lock()
		defer t.mu.Unlock()
		t.pushes[n] = append(t.pushes[n], time.Now())
	}
}

// settle moves the copies that clients caused out of the verdict's duplicates. Two
// pushes of a key without a failover between them are a problem.
func (t *pushTable) settle(s *suite, r *RetryReport) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.Replays = int(t.replays.Load())
	for n, copies := range s.ledger.copies {
		extra := max(0, int(copies)-1)
		if s.ledger.direct[n] && extra > 0 {
			r.Across++
			extra--
		}
		times := t.pushes[n]
		r.Failover += min(max(0, len(times)-1), extra)
		for i := 1; i < len(times); i++ {
			if !s.partitions.between(times[i-1], times[i]) {
				r.Verdict.Problems = append(r.Verdict.Problems, fmt.Sprintf("record %d was pushed twice without a failover between the pushes", n))
			}
		}
	}
	r.Verdict.Duplicates -= r.Across + r.Failover
	r.Verdict.Bound.Pushes = 0
}

// retryingFaults kill processes of ingest before and after a push, after which the
// client does not know whether its record was accepted.
func (s *suite) retryingFaults() []fault {
	var all []fault
	for _, at := range []step{beforePush, afterPush} {
		kill := s.killAt(at)
		all = append(all, fault{"kill processes of ingest " + string(at), func(ctx context.Context, random *rand.Rand) (bool, error) {
			for range retryKills {
				if done, err := kill(ctx, random); !done || err != nil {
					return done, err
				}
				hold(ctx, random)
			}
			return true, ctx.Err()
		}})
	}
	return all
}

// retryKills is the number of processes of ingest that are killed at a step.
const retryKills = 10
