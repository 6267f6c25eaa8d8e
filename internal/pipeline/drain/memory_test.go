package drain_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
)

// memoryQueue is a queue in memory, for tests with simulated time.
type memoryQueue struct {
	mu      sync.Mutex
	waiting map[string][][]byte
	claims  map[string]map[string]memoryClaim // stream, id
	states  map[string]*queue.State
	// others are the ids of further drainers, which Inspect reports for every stream.
	others []string
	policy string
	lost   map[string]queue.Lost
	// fail, if set, returns the error of a call.
	fail func(call, stream string) error
	// most is the highest number of claims that a stream had at once.
	most map[string]int
}

type memoryClaim struct {
	queue.Claim
	until time.Time
}

func newMemoryQueue() *memoryQueue {
	return &memoryQueue{
		waiting: make(map[string][][]byte), claims: make(map[string]map[string]memoryClaim),
		states: make(map[string]*queue.State), most: make(map[string]int),
	}
}

func (q *memoryQueue) begin(call, stream string) error {
	if q.fail != nil {
		if err := q.fail(call, stream); err != nil {
			return err
		}
	}
	if q.states[stream] == nil {
		q.states[stream] = &queue.State{}
		q.claims[stream] = make(map[string]memoryClaim)
	}
	return nil
}

func (q *memoryQueue) push(stream string, envelopes ...[]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting[stream] = append(q.waiting[stream], envelopes...)
}

func (q *memoryQueue) Claim(_ context.Context, stream, id string, lease time.Duration, maxRecords, maxBytes int) (queue.Claim, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.begin("Claim", stream); err != nil {
		return queue.Claim{}, err
	}
	n, bytes := 0, 0
	for n < min(maxRecords, len(q.waiting[stream])) && (n == 0 || bytes+len(q.waiting[stream][n]) <= maxBytes) {
		bytes += len(q.waiting[stream][n])
		n++
	}
	c := queue.Claim{Stream: stream, ID: id, Envelopes: slices.Clone(q.waiting[stream][:n])}
	q.waiting[stream] = q.waiting[stream][n:]
	c.Depth = int64(len(q.waiting[stream]))
	if n > 0 {
		q.claims[stream][id] = memoryClaim{c, time.Now().Add(lease)}
		q.most[stream] = max(q.most[stream], len(q.claims[stream]))
	}
	return c, nil
}

func (q *memoryQueue) Ack(ctx context.Context, c queue.Claim, dead []int) (bool, error) {
	return q.settle(ctx, "Ack", c, nil, nil, dead)
}

func (q *memoryQueue) Release(ctx context.Context, c queue.Claim, left, later, dead []int) (bool, error) {
	return q.settle(ctx, "Release", c, left, later, dead)
}

func (q *memoryQueue) settle(ctx context.Context, call string, c queue.Claim, left, later, dead []int) (bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := cmp.Or(ctx.Err(), q.begin(call, c.Stream)); err != nil {
		return false, err
	}
	if _, ok := q.claims[c.Stream][c.ID]; !ok {
		return false, nil
	}
	delete(q.claims[c.Stream], c.ID)
	sort.Ints(left)
	var back [][]byte
	for _, i := range left {
		back = append(back, c.Envelopes[i])
	}
	q.waiting[c.Stream] = append(back, q.waiting[c.Stream]...)
	for _, i := range later {
		q.waiting[c.Stream] = append(q.waiting[c.Stream], c.Envelopes[i])
	}
	q.states[c.Stream].DeadLettered += int64(len(dead))
	q.states[c.Stream].Forwarded += int64(len(c.Envelopes) - len(left) - len(later) - len(dead))
	return true, nil
}

func (q *memoryQueue) Reclaim(_ context.Context, stream string) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.begin("Reclaim", stream); err != nil {
		return 0, err
	}
	n := 0
	for id, c := range q.claims[stream] {
		if time.Now().After(c.until) {
			delete(q.claims[stream], id)
			q.waiting[stream] = append(slices.Clone(c.Envelopes), q.waiting[stream]...)
			n += len(c.Envelopes)
		}
	}
	return n, nil
}

func (q *memoryQueue) Inspect(_ context.Context, stream string) (queue.State, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.begin("Inspect", stream); err != nil {
		return queue.State{}, err
	}
	s := *q.states[stream]
	s.Depth, s.Claims = int64(len(q.waiting[stream])), int64(len(q.claims[stream]))
	ids := slices.Clone(q.others)
	for id := range q.claims[stream] {
		drainer, _, _ := strings.Cut(id, ".")
		ids = append(ids, drainer)
	}
	slices.Sort(ids)
	s.DrainerIDs = slices.Compact(ids)
	s.Drainers = int64(len(s.DrainerIDs))
	return s, nil
}

func (q *memoryQueue) Scan(context.Context) (map[string][]string, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.begin("Scan", ""); err != nil {
		return nil, err
	}
	found := make(map[string][]string)
	for name, waiting := range q.waiting {
		if len(waiting) > 0 || len(q.claims[name]) > 0 {
			found[name] = slices.Sorted(maps.Keys(q.claims[name]))
		}
	}
	return found, nil
}

func (q *memoryQueue) Recover(_ context.Context, stream string, _ []string) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return 0, q.begin("Recover", stream)
}

func (q *memoryQueue) Reconcile(_ context.Context, stream string) (queue.Lost, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lost[stream], q.begin("Reconcile", stream)
}

func (q *memoryQueue) CheckDrain(context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.begin("CheckDrain", "")
}

func (q *memoryQueue) EvictionPolicy(context.Context) (string, error) { return q.policy, nil }

// state describes a queue in one line.
func (q *memoryQueue) state(stream string) string {
	s, err := q.Inspect(context.Background(), stream)
	return fmt.Sprintf("depth=%d claims=%d forwarded=%d dead=%d err=%v", s.Depth, s.Claims, s.Forwarded, s.DeadLettered, err)
}
