package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// retryFaults are the faults between clients and the queue.
var retryFaults = regexp.MustCompile(`ingest|Redis$|Redis to its|partition|S3`)

// Retry sends every record again, with its idempotency key, until it is accepted,
// while everything between the clients and the queue fails. A key may be pushed twice
// only across a failover of Redis. The copies that clients caused do not count as
// duplicates in the verdict.
func Retry(ctx context.Context, l Lab) (Report, error) {
	records := 25_000
	if l.Hurry {
		records = 2_000
	}
	var report Report
	set := hurried()
	set.tls, set.keys = false, true
	err := inLab(ctx, l, set, func(s *suite) error {
		s.options = Options{Lab: l, Records: records, Faults: retryFaults}
		v, err := s.run(ctx)
		if err != nil {
			return err
		}
		resent, unanswered, replays := s.load.resent.Load(), s.load.gaveUp.Load(), s.pushes.replays.Load()
		across, failover := s.pushes.settle(s, &v)
		report.printf("%v", v)
		report.printf("retry: resent=%d replays=%d unanswered=%d", resent, replays, unanswered)
		report.printf("retry: acked=%d lost=%d client duplicates=%d across outages=%d across failovers=%d other duplicates=%d bound=%d",
			v.Acked, v.Lost, across+failover, across, failover, v.Duplicates, v.Bound.Sum())
		report.want(unanswered == 0 && v.Acked >= records, "%d of %d records were accepted, and %d never", v.Acked, records, unanswered)
		report.want(resent > 0 && replays > 0, "%d records were sent again and %d found an earlier try, want some", resent, replays)
		report.want(v.Missed == 0, "%d faults did not take place", v.Missed)
		report.wantVerdict(v)
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

// settle moves the copies that clients caused out of the verdict's duplicates. across
// is the number of copies because the push of one try reached the queue and another
// try, or the same one after its push timed out, wrote a direct record. failover is the
// number of copies because two tries reached the queue, one before a failover of Redis
// and one after it. Two pushes of a key without a failover between them are a problem.
func (t *pushTable) settle(s *suite, v *Verdict) (across, failover int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for n, r := range s.ledger.records {
		extra := max(0, int(r.copies)-1)
		if r.direct && extra > 0 {
			across++
			extra--
		}
		times := t.pushes[n]
		failover += min(max(0, len(times)-1), extra)
		for i := 1; i < len(times); i++ {
			if !s.partitions.between(times[i-1], times[i]) {
				v.Problems = append(v.Problems, fmt.Sprintf("record %d was pushed twice without a failover between the pushes", n))
			}
		}
	}
	v.Duplicates -= across + failover
	v.Bound.Pushes = 0
	return across, failover
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
