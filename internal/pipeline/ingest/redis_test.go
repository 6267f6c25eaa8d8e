package ingest_test

import (
	"context"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/rig/redistest"
	"github.com/redis/go-redis/v9"
)

// redisQueue is a real queue, whose pushes of parts a test can change.
type redisQueue struct {
	*queue.Queue
	client *redis.Client
	// after, if set, replaces the result of a part that was pushed.
	after func(queue.PartPushed) (queue.PartPushed, error)
	// before, if set, can fail a part before it is pushed.
	before func(p queue.Part) error
}

func (q *redisQueue) PushPart(ctx context.Context, stream string, p queue.Part, bound int64) (queue.PartPushed, error) {
	if q.before != nil {
		if err := q.before(p); err != nil {
			return queue.PartPushed{}, err
		}
	}
	pushed, err := q.Queue.PushPart(ctx, stream, p, bound)
	if err == nil && q.after != nil {
		return q.after(pushed)
	}
	return pushed, err
}

// records returns the records in a stream's list in Redis.
func (q *redisQueue) records(tb testing.TB, stream string) []envelope.Record {
	tb.Helper()
	list, err := q.client.LRange(tb.Context(), "datasink:{"+stream+"}:queue", 0, -1).Result()
	if err != nil {
		tb.Fatal(err)
	}
	var records []envelope.Record
	for _, e := range list {
		r, err := envelope.Decode([]byte(e))
		if err != nil {
			tb.Fatal(err)
		}
		records = append(records, r)
	}
	return records
}

// newRedisService returns a service with a real Redis.
func newRedisService(t *testing.T, change ...func(*service)) (*service, *redisQueue) {
	t.Helper()
	server := redistest.Start(t)
	q, err := queue.Open(queue.Options{Deployment: "datasink", URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	options, err := redis.ParseURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	stored := &redisQueue{Queue: q, client: redis.NewClient(options)}
	t.Cleanup(func() { _ = q.Close(); _ = stored.client.Close() })
	change = append(change, func(s *service) {
		s.config.Queue, s.config.PushTimeout = stored, waitForBusyMachine
	})
	return newService(t, change...), stored
}

// waitForBusyMachine is a time-out that a busy machine does not exceed.
const waitForBusyMachine = 20e9
