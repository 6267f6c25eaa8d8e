package local_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// chaos injects faults into a pipeline, determined by a seed, until over is set.
type chaos struct {
	rate   float64 // of calls that fail
	over   atomic.Bool
	kills  atomic.Int64
	faults atomic.Int64

	mu   sync.Mutex
	rand *rand.Rand
}

func newChaos(seed uint64, rate float64) *chaos {
	return &chaos{rate: rate, rand: rand.New(rand.NewPCG(seed, 0))}
}

// roll returns a number below n, or -1 most of the time.
func (c *chaos) roll(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over.Load() || c.rand.Float64() >= c.rate {
		return -1
	}
	c.faults.Add(1)
	return c.rand.IntN(n)
}

func (c *chaos) intN(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rand.IntN(n)
}

var errFault = errors.New("a fault of the test")

// dead marks the context of an invocation whose process was killed. Its further
// calls have no effect.
type dead struct{}

func isDead(ctx context.Context) bool {
	flag, ok := ctx.Value(dead{}).(*atomic.Bool)
	return ok && flag.Load()
}

// around makes a call, with a fault before or after it. A call of a dead process
// has no effect.
func around[T any](ctx context.Context, c *chaos, call func() (T, error)) (T, error) {
	var none T
	if isDead(ctx) {
		return none, errFault
	}
	fault := c.roll(2)
	if fault == 0 {
		return none, fmt.Errorf("before its effect: %w", errFault)
	}
	answer, err := call()
	if fault == 1 {
		return none, fmt.Errorf("after its effect: %w", errors.Join(errFault, err))
	}
	if isDead(ctx) {
		return none, errFault
	}
	return answer, err
}

// seams injects the faults.
func (c *chaos) seams() local.Seams {
	queues := func(q local.Queue) local.Queue { return chaoticQueue{q, c} }
	services := func(s sink.Service) sink.Service { return chaoticService{s, c} }
	return local.Seams{
		IngestQueue: queues, DrainerQueue: queues,
		Kinesis: services, Firehose: services,
		Archive: func(s archive.Store) archive.Store { return chaoticStore{s, c} },
		Deliver: func(write cloud.WriteObject) cloud.WriteObject {
			return func(ctx context.Context, key string, body func(io.Writer) error) error {
				_, err := around(ctx, c, func() (struct{}, error) { return struct{}{}, write(ctx, key, body) })
				return err
			}
		},
		Invoke: c.killing,
	}
}

// killing ends some invocations of drainer and bridge, as SIGKILL does: further calls
// of the handler have no effect.
func (c *chaos) killing(function string, h cloud.Handler) cloud.Handler {
	if function == "ingest" {
		return h
	}
	return func(ctx context.Context, event []byte) ([]byte, error) {
		if c.roll(1) < 0 {
			return h(ctx, event)
		}
		c.kills.Add(1)
		flag := &atomic.Bool{}
		ctx, cancel := context.WithCancel(context.WithValue(ctx, dead{}, flag))
		kill := time.AfterFunc(time.Duration(c.intN(30_000))*time.Microsecond, func() {
			flag.Store(true)
			cancel()
		})
		defer kill.Stop()
		defer cancel()
		answer, err := h(ctx, event)
		if flag.Load() {
			return nil, errors.New("killed")
		}
		return answer, err
	}
}

// chaoticService throttles some entries, fails some calls before or after they
// took effect, refuses poison as invalid, and is sometimes slower than a lease.
type chaoticService struct {
	sink.Service
	c *chaos
}

// poison begins a body that no service accepts.
const poison = "poison "

func (s chaoticService) Put(ctx context.Context, stream string, entries []sink.Entry) ([]sink.Failure, error) {
	for _, e := range entries {
		if len(e.Data) >= len(poison) && string(e.Data[:len(poison)]) == poison {
			return nil, fmt.Errorf("%w: poison", sink.ErrInvalid)
		}
	}
	switch s.c.roll(4) {
	case 0: // Some entries are throttled.
		var kept []sink.Entry
		var refused []sink.Failure
		var positions []int
		for i, e := range entries {
			if s.c.intN(2) == 0 {
				refused = append(refused, sink.Failure{Index: i, Err: sink.ErrThrottled})
				continue
			}
			kept, positions = append(kept, e), append(positions, i)
		}
		if len(kept) == 0 {
			return refused, nil
		}
		failures, err := around(ctx, s.c, func() ([]sink.Failure, error) { return s.Service.Put(ctx, stream, kept) })
		for _, f := range failures {
			refused = append(refused, sink.Failure{Index: positions[f.Index], Err: f.Err})
		}
		return refused, err
	case 1:
		return nil, sink.ErrThrottled
	case 2: // Longer than a lease.
		time.Sleep(400 * time.Millisecond)
	}
	return around(ctx, s.c, func() ([]sink.Failure, error) { return s.Service.Put(ctx, stream, entries) })
}

type chaoticStore struct {
	archive.Store
	c *chaos
}

func (s chaoticStore) Put(ctx context.Context, key string, body []byte) error {
	_, err := around(ctx, s.c, func() (struct{}, error) { return struct{}{}, s.Store.Put(ctx, key, body) })
	return err
}

func (s chaoticStore) Create(ctx context.Context, key string, body []byte) error {
	_, err := around(ctx, s.c, func() (struct{}, error) { return struct{}{}, s.Store.Create(ctx, key, body) })
	return err
}

type chaoticQueue struct {
	local.Queue
	c *chaos
}

func (q chaoticQueue) Push(ctx context.Context, name string, e []byte, bound int64) (queue.Pushed, error) {
	return around(ctx, q.c, func() (queue.Pushed, error) { return q.Queue.Push(ctx, name, e, bound) })
}

func (q chaoticQueue) Claim(ctx context.Context, name, id string, lease time.Duration, records, bytes int) (queue.Claim, error) {
	return around(ctx, q.c, func() (queue.Claim, error) { return q.Queue.Claim(ctx, name, id, lease, records, bytes) })
}

func (q chaoticQueue) Ack(ctx context.Context, c queue.Claim, aside []int) (bool, error) {
	return around(ctx, q.c, func() (bool, error) { return q.Queue.Ack(ctx, c, aside) })
}

func (q chaoticQueue) Release(ctx context.Context, c queue.Claim, left, later, aside []int) (bool, error) {
	return around(ctx, q.c, func() (bool, error) { return q.Queue.Release(ctx, c, left, later, aside) })
}

func (q chaoticQueue) Reclaim(ctx context.Context, name string) (int, error) {
	return around(ctx, q.c, func() (int, error) { return q.Queue.Reclaim(ctx, name) })
}
