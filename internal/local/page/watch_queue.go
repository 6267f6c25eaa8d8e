package page

import (
	"context"
	"time"

	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
)

// watchedQueue is the queue that a function uses. It counts records. During a fault it
// fails the calls by which a record moves, and inspections.
type watchedQueue struct {
	local.Queue
	page    *Page
	drainer bool
}

// fault returns the error of calls during a fault.
func (q *watchedQueue) fault() error {
	switch {
	case q.page.faults[redisStopped].on():
		return errRedisStopped
	case q.drainer && q.page.faults[drainerKilled].on():
		return errDrainerKilled
	}
	return nil
}

func (q *watchedQueue) touch(stream string) {
	if m := q.page.meter(stream); m != nil {
		m.touched.Store(true)
	}
}

// Push counts the records that the queue accepts.
func (q *watchedQueue) Push(ctx context.Context, stream string, encoded []byte, maxBacklogBytes int64) (queue.Pushed, error) {
	if err := q.fault(); err != nil {
		return queue.Pushed{}, err
	}
	pushed, err := q.Queue.Push(ctx, stream, encoded, maxBacklogBytes)
	if m := q.page.meter(stream); m != nil && err == nil {
		m.pushed.Add(1)
		m.touched.Store(true)
		m.newest.pushed(time.Now(), encoded)
	}
	return pushed, err
}

// PushPart counts the records that the queue accepts.
func (q *watchedQueue) PushPart(ctx context.Context, stream string, p queue.Part, maxBacklogBytes int64) (queue.PartPushed, error) {
	if err := q.fault(); err != nil {
		return queue.PartPushed{}, err
	}
	pushed, err := q.Queue.PushPart(ctx, stream, p, maxBacklogBytes)
	if m := q.page.meter(stream); m != nil && err == nil && !pushed.Replayed {
		m.pushed.Add(int64(len(p.Envelopes)))
		m.touched.Store(true)
		m.newest.pushed(time.Now(), p.Envelopes[0])
	}
	return pushed, err
}

// Ping reports whether Redis answers.
func (q *watchedQueue) Ping(ctx context.Context) error {
	if err := q.fault(); err != nil {
		return err
	}
	return q.Queue.Ping(ctx)
}

// Claim leases envelopes.
func (q *watchedQueue) Claim(ctx context.Context, stream, id string, lease time.Duration, maxRecords, maxBytes int) (queue.Claim, error) {
	if err := q.fault(); err != nil {
		return queue.Claim{}, err
	}
	q.touch(stream)
	return q.Queue.Claim(ctx, stream, id, lease, maxRecords, maxBytes)
}

// Ack counts the records that were forwarded, and dead letters.
func (q *watchedQueue) Ack(ctx context.Context, c queue.Claim, dead []int) (bool, error) {
	if err := q.fault(); err != nil {
		return false, err
	}
	defer q.settling(c)()
	held, err := q.Queue.Ack(ctx, c, dead)
	q.settled(c, held, 0, len(dead))
	return held, err
}

// Release counts the records that were forwarded, and dead letters.
func (q *watchedQueue) Release(ctx context.Context, c queue.Claim, left, later, dead []int) (bool, error) {
	if err := q.fault(); err != nil {
		return false, err
	}
	defer q.settling(c)()
	held, err := q.Queue.Release(ctx, c, left, later, dead)
	q.settled(c, held, len(left)+len(later), len(dead))
	return held, err
}

// settling counts the records of a claim as being acknowledged, until the function
// that it returns is called.
func (q *watchedQueue) settling(c queue.Claim) (done func()) {
	m := q.page.meter(c.Stream)
	if m == nil {
		return func() {}
	}
	n := int64(len(c.Envelopes))
	m.settling.Add(n)
	return func() { m.settling.Add(-n) }
}

func (q *watchedQueue) settled(c queue.Claim, held bool, left, dead int) {
	m := q.page.meter(c.Stream)
	if m == nil || !held {
		return
	}
	m.touched.Store(true)
	m.deadAtDrainer.Add(int64(dead))
	m.forwarded.Add(int64(len(c.Envelopes) - left - dead))
}

// Reclaim returns claims whose lease has run out.
func (q *watchedQueue) Reclaim(ctx context.Context, stream string) (int, error) {
	if err := q.fault(); err != nil {
		return 0, err
	}
	q.touch(stream)
	return q.Queue.Reclaim(ctx, stream)
}

// Inspect reads the state of a queue.
func (q *watchedQueue) Inspect(ctx context.Context, stream string) (queue.State, error) {
	if err := q.fault(); err != nil {
		return queue.State{}, err
	}
	return q.Queue.Inspect(ctx, stream)
}
