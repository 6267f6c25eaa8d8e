package page

import (
	"context"
	"time"

	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
)

// watchedQueue is Redis as a function sees it: it counts, and it is away while a
// fault says so.
type watchedQueue struct {
	local.Queue
	page    *Page
	drainer bool
}

// away is the error of all calls while there is one.
func (q *watchedQueue) away() error {
	switch {
	case q.page.faults[redisStopped].on():
		return errRedisStopped
	case q.drainer && q.page.faults[drainerKilled].on():
		return errDrainerKilled
	}
	return nil
}

func (q *watchedQueue) touch(stream string) {
	if m := q.page.byName[stream]; m != nil {
		m.touched.Store(true)
	}
}

// Push counts what the queue takes.
func (q *watchedQueue) Push(ctx context.Context, stream string, encoded []byte, maxBacklogBytes int64) (queue.Pushed, error) {
	if err := q.away(); err != nil {
		return queue.Pushed{}, err
	}
	pushed, err := q.Queue.Push(ctx, stream, encoded, maxBacklogBytes)
	if m := q.page.byName[stream]; m != nil && err == nil {
		m.pushed.Add(1)
		m.touched.Store(true)
		m.newest.pushed(q.page.o.Now(), encoded)
	}
	return pushed, err
}

// PushPart counts the records that the queue accepts.
func (q *watchedQueue) PushPart(ctx context.Context, stream string, p queue.Part, maxBacklogBytes int64) (queue.PartPushed, error) {
	if err := q.away(); err != nil {
		return queue.PartPushed{}, err
	}
	pushed, err := q.Queue.PushPart(ctx, stream, p, maxBacklogBytes)
	if m := q.page.byName[stream]; m != nil && err == nil && !pushed.Replayed {
		m.pushed.Add(int64(len(p.Envelopes)))
		m.touched.Store(true)
		m.newest.pushed(q.page.o.Now(), p.Envelopes[0])
	}
	return pushed, err
}

// Ping asks whether Redis is there.
func (q *watchedQueue) Ping(ctx context.Context) error {
	if err := q.away(); err != nil {
		return err
	}
	return q.Queue.Ping(ctx)
}

// Claim leases envelopes.
func (q *watchedQueue) Claim(ctx context.Context, stream, id string, lease time.Duration, maxRecords, maxBytes int) (queue.Claim, error) {
	if err := q.away(); err != nil {
		return queue.Claim{}, err
	}
	q.touch(stream)
	return q.Queue.Claim(ctx, stream, id, lease, maxRecords, maxBytes)
}

// Ack counts what was forwarded and what was put aside.
func (q *watchedQueue) Ack(ctx context.Context, c queue.Claim, aside []int) (bool, error) {
	if err := q.away(); err != nil {
		return false, err
	}
	held, err := q.Queue.Ack(ctx, c, aside)
	q.settled(c, held, 0, len(aside))
	return held, err
}

// Release counts what was forwarded and what was put aside.
func (q *watchedQueue) Release(ctx context.Context, c queue.Claim, left, later, aside []int) (bool, error) {
	if err := q.away(); err != nil {
		return false, err
	}
	held, err := q.Queue.Release(ctx, c, left, later, aside)
	q.settled(c, held, len(left)+len(later), len(aside))
	return held, err
}

func (q *watchedQueue) settled(c queue.Claim, held bool, left, aside int) {
	m := q.page.byName[c.Stream]
	if m == nil || !held {
		return
	}
	m.touched.Store(true)
	m.aside.Add(int64(aside))
	forwarded := len(c.Envelopes) - left - aside
	m.forwarded.Add(int64(forwarded))
	if forwarded == 0 {
		return
	}
	// The first is the oldest of a claim, or near it.
	if at, err := envelope.ReceivedAt(c.Envelopes[0]); err == nil {
		m.passed(q.page.o.Now().Sub(at))
	}
}

// Reclaim returns claims whose lease has run out.
func (q *watchedQueue) Reclaim(ctx context.Context, stream string) (int, error) {
	if err := q.away(); err != nil {
		return 0, err
	}
	q.touch(stream)
	return q.Queue.Reclaim(ctx, stream)
}

// Inspect reads the state of a queue.
func (q *watchedQueue) Inspect(ctx context.Context, stream string) (queue.State, error) {
	if err := q.away(); err != nil {
		return queue.State{}, err
	}
	return q.Queue.Inspect(ctx, stream)
}

// Scan returns the streams that have a queue or a claim.
func (q *watchedQueue) Scan(ctx context.Context) (map[string][]string, error) {
	if err := q.away(); err != nil {
		return nil, err
	}
	return q.Queue.Scan(ctx)
}

// Recover returns claims that no lease names.
func (q *watchedQueue) Recover(ctx context.Context, stream string, ids []string) (int, error) {
	if err := q.away(); err != nil {
		return 0, err
	}
	return q.Queue.Recover(ctx, stream, ids)
}

// Reconcile compares the counters of a queue with its lists.
func (q *watchedQueue) Reconcile(ctx context.Context, stream string) (queue.Lost, error) {
	if err := q.away(); err != nil {
		return queue.Lost{}, err
	}
	return q.Queue.Reconcile(ctx, stream)
}

// CheckDrain checks the permissions of the Redis user.
func (q *watchedQueue) CheckDrain(ctx context.Context) error {
	if err := q.away(); err != nil {
		return err
	}
	return q.Queue.CheckDrain(ctx)
}

// EvictionPolicy is that of Redis.
func (q *watchedQueue) EvictionPolicy(ctx context.Context) (string, error) {
	if err := q.away(); err != nil {
		return "", err
	}
	return q.Queue.EvictionPolicy(ctx)
}
