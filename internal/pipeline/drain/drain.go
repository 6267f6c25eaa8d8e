// Package drain is the drainer function: it moves records from the queues to the
// Kinesis data streams.
//
// Delivery is at least once: a claim is acknowledged after Kinesis has accepted its
// records, and returns to the queue when that is unknown. Order is not guaranteed,
// because several claims of a stream are in flight at the same time.
package drain

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Queue is the part of queue.Queue that the drainer uses.
type Queue interface {
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

// Sink puts records to a Kinesis stream, given by its AWS name.
type Sink interface {
	Put(ctx context.Context, stream string, entries []sink.Entry) sink.Result
}

// Archive stores dead letters.
type Archive interface {
	PutDeadLetters(ctx context.Context, stage, streamName, name string, records []archive.DeadLetter) (key string, err error)
}

// Waker wakes another drainer for a stream.
type Waker interface {
	Wake(ctx context.Context, stream string, delay time.Duration) error
}

// Options are the environment and the parts of a Handler. All are required except
// TotalClaims, Log, Now and the observers. Of the environment, the handler reads the
// name of the deployment, the limits of claims and drainers, and Wake.Interval,
// which is the delay of the wake-up for a successor.
type Options struct {
	env.Drainer
	Streams *stream.Set
	Queue   Queue
	Sink    Sink
	Archive Archive
	Waker   Waker

	// TotalClaims limits the claims of all streams and so, with ClaimBytes, the
	// memory of an invocation. Default 16.
	TotalClaims int

	// Log defaults to slog.Default, Now to time.Now.
	Log *slog.Logger
	Now func() time.Time
	// Observe, if set, is called with the summary of each stream of an invocation.
	Observe func(context.Context, Summary)
	// ObserveSweep, if set, is called once for each sweep.
	ObserveSweep func(context.Context, Sweep)
}

// Summary is what one invocation did for one stream.
type Summary struct {
	Stream string
	// Claimed, Forwarded, DeadLettered and Left count records. Left records
	// returned to the queue. Reclaimed records returned to it from drainers that
	// died.
	Claimed, Forwarded, DeadLettered, Left, Reclaimed int
	// ForwardedBytes counts the bytes of the bodies forwarded.
	ForwardedBytes int
	// Retried and Throttled count entries, as in sink.Result.
	Retried, Throttled int
	// LostClaims counts claims that no longer existed when they were acknowledged:
	// their records may arrive twice.
	LostClaims int
	// Depth is the depth of the queue after the last claim.
	Depth int64
	// MaxAge is the longest time from a record's receipt until Kinesis had it.
	MaxAge time.Duration
	// Err is the first error that left records behind.
	Err error
}

// Sweep is the state of the deployment at the beginning of a sweep.
type Sweep struct {
	// Queues are the queues of the streams in streams.json that could be read.
	Queues map[string]queue.State
	// Lost holds the streams of which this sweep found records to be lost by their
	// counters.
	Lost map[string]queue.Lost
	// Reset holds the streams whose counters went back since the last sweep, with
	// their last known backlog in records.
	Reset map[string]int64
	// Policy is the eviction policy of Redis, empty when unknown.
	Policy string
}

// Handler is the drainer. It is safe for concurrent use.
type Handler struct {
	o     Options
	slots chan struct{}
	// checked reports whether the permissions of the Redis user were found to be
	// sufficient.
	checked atomic.Bool

	observing sync.Mutex // held while a sweep reads the state of the queues; guards last
	last      map[string]queue.State
}

// New returns a drainer.
func New(o Options) *Handler {
	if o.TotalClaims == 0 {
		o.TotalClaims = 16
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Observe == nil {
		o.Observe = func(context.Context, Summary) {}
	}
	if o.ObserveSweep == nil {
		o.ObserveSweep = func(context.Context, Sweep) {}
	}
	return &Handler{o: o, slots: make(chan struct{}, o.TotalClaims), last: make(map[string]queue.State)}
}
