package local

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
)

// Queue is what the handlers use of package queue.
type Queue interface {
	Push(ctx context.Context, stream string, envelope []byte, maxBacklogBytes int64) (queue.Pushed, error)
	PushPart(ctx context.Context, stream string, p queue.Part, maxBacklogBytes int64) (queue.PartPushed, error)
	Ping(ctx context.Context) error

	Claim(ctx context.Context, stream, id string, lease time.Duration, maxRecords, maxBytes int) (queue.Claim, error)
	Ack(ctx context.Context, c queue.Claim, deadLetters []int) (held bool, err error)
	Release(ctx context.Context, c queue.Claim, left, later, deadLetters []int) (held bool, err error)
	Reclaim(ctx context.Context, stream string) (records int, err error)
	Recover(ctx context.Context, stream string, ids []string) (records int, err error)
	Reconcile(ctx context.Context, stream string) (queue.Lost, error)
	Inspect(ctx context.Context, stream string) (queue.State, error)
	Scan(ctx context.Context) (map[string][]string, error)
	EvictionPolicy(ctx context.Context) (string, error)
	CheckDrain(ctx context.Context) error
}

const (
	// backlogBytes is the size of the backlog in the embedded Redis above which
	// requests are held back. The Redis uses several times that memory.
	backlogBytes = 4 << 20
	// overflowBytes is the size of the backlog above which records are refused
	// although their requests were held back.
	overflowBytes = 3 * backlogBytes
	// recount is how long a request waits before the backlog is measured again.
	recount = time.Second
)

// backlog bounds the records in the embedded Redis: it counts their bytes, and
// holds requests back while there are too many. It is safe for concurrent use.
type backlog struct {
	Queue
	// streams returns the names of the streams.
	streams func() []string
	// atMost is how long a request is held back. Above overflowBytes its record
	// then becomes a direct record.
	atMost time.Duration

	mu      sync.Mutex
	bytes   int64 // of envelopes in queues and claims
	changed chan struct{}
}

func newBacklog(q Queue, streams func() []string, atMost time.Duration) *backlog {
	return &backlog{Queue: q, streams: streams, atMost: atMost, changed: make(chan struct{})}
}

// Push refuses a record above overflowBytes.
func (b *backlog) Push(ctx context.Context, stream string, envelope []byte, maxBacklogBytes int64) (queue.Pushed, error) {
	size := int64(len(envelope))
	if b.add(size) > overflowBytes {
		b.add(-size)
		return queue.Pushed{}, queue.ErrBacklogFull
	}
	pushed, err := b.Queue.Push(ctx, stream, envelope, maxBacklogBytes)
	if err != nil {
		b.add(-size) // If the record was pushed nevertheless, the next recount finds it.
	}
	return pushed, err
}

// PushPart is like Push for the envelopes of a part.
func (b *backlog) PushPart(ctx context.Context, stream string, p queue.Part, maxBacklogBytes int64) (queue.PartPushed, error) {
	bytes := size(p.Envelopes)
	if b.add(bytes) > overflowBytes {
		b.add(-bytes)
		return queue.PartPushed{}, queue.ErrBacklogFull
	}
	pushed, err := b.Queue.PushPart(ctx, stream, p, maxBacklogBytes)
	if err != nil || pushed.Replayed {
		b.add(-bytes)
	}
	return pushed, err
}

// Ack counts the records that leave.
func (b *backlog) Ack(ctx context.Context, c queue.Claim, aside []int) (bool, error) {
	held, err := b.Queue.Ack(ctx, c, aside)
	if held {
		b.add(-size(c.Envelopes))
	}
	return held, err
}

// Release counts the records that leave.
func (b *backlog) Release(ctx context.Context, c queue.Claim, left, later, aside []int) (bool, error) {
	held, err := b.Queue.Release(ctx, c, left, later, aside)
	if held {
		gone := size(c.Envelopes)
		for _, i := range slices.Concat(left, later) {
			gone -= int64(len(c.Envelopes[i]))
		}
		b.add(-gone)
	}
	return held, err
}

func size(envelopes [][]byte) int64 {
	var bytes int64
	for _, e := range envelopes {
		bytes += int64(len(e))
	}
	return bytes
}

func (b *backlog) add(bytes int64) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes += bytes
	if bytes < 0 {
		close(b.changed)
		b.changed = make(chan struct{})
	}
	return b.bytes
}

// hold waits while the backlog is too large.
func (b *backlog) hold(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, b.atMost)
	defer cancel()
	for {
		b.mu.Lock()
		full, changed := b.bytes > backlogBytes, b.changed
		b.mu.Unlock()
		if !full {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		case <-time.After(recount):
			b.recount(ctx)
		}
	}
}

// recount measures the backlog. The count is wrong after a lost answer of Redis.
func (b *backlog) recount(ctx context.Context) {
	var bytes int64
	for _, name := range b.streams() {
		state, err := b.Inspect(ctx, name)
		if err != nil {
			return
		}
		bytes += state.QueuedBytes + state.ClaimedBytes
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes = bytes
}
