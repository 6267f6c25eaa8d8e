// Package drain is the drainer function: it moves records from the queues to
// the streams' Kinesis Data Streams.
//
// Delivery is at least once: a claim is acknowledged after Kinesis has taken its
// records, and returns to the queue when that cannot be known. Order is not
// promised: several claims of a stream are in flight at once.
package drain

import (
	"context"
	"log/slog"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Queue is what the drainer needs of package queue.
type Queue interface {
	Claim(ctx context.Context, stream, id string, lease time.Duration, maxRecords, maxBytes int) (queue.Claim, error)
	Ack(ctx context.Context, c queue.Claim, aside []int) (held bool, err error)
	Release(ctx context.Context, c queue.Claim, left, aside []int) (held bool, err error)
	Reclaim(ctx context.Context, stream string) (records int, err error)
	Inspect(ctx context.Context, stream string) (queue.State, error)
	Streams(ctx context.Context) ([]string, error)
	EvictionPolicy(ctx context.Context) (string, error)
}

// Sink puts records to a Kinesis stream, by its AWS name.
type Sink interface {
	Put(ctx context.Context, stream string, entries []sink.Entry) sink.Result
}

// Archive keeps what can never be delivered.
type Archive interface {
	PutDeadLetters(ctx context.Context, stage, streamName, name string, records []archive.DeadLetter) (key string, err error)
}

// Waker wakes another drainer for a stream.
type Waker interface {
	Wake(ctx context.Context, stream string, delay time.Duration) error
}

// Options are the parts and settings of a Handler. All parts are needed but Log,
// Now and the observers.
type Options struct {
	Deployment string
	Streams    *stream.Set
	Queue      Queue
	Sink       Sink
	Archive    Archive
	Waker      Waker

	// Lease is how long a claim belongs to this drainer. A put ends when three
	// quarters of it have passed: longer ones would put what is another's. Default
	// 20 s.
	Lease time.Duration
	// ClaimRecords and ClaimBytes bound a claim. Defaults 500 and 1 MiB.
	ClaimRecords, ClaimBytes int
	// ClaimsInFlight bounds the claims of one stream. Default 8.
	ClaimsInFlight int
	// TotalClaims bounds the claims of all streams, and with ClaimBytes the
	// memory of an invocation. Default 16.
	TotalClaims int
	// ScaleOutRecords is the depth for which one drainer is enough. Default 50,000.
	ScaleOutRecords int
	// MaxDrainers bounds the drainers of one stream. Default 10.
	MaxDrainers int
	// WakeInterval is the delay of the wake-up for a successor. Default 1 s.
	WakeInterval time.Duration

	// Log defaults to slog's default, Now to time.Now.
	Log *slog.Logger
	Now func() time.Time
	// Observe, if set, is told what became of each stream of an invocation.
	Observe func(context.Context, Summary)
	// ObserveSweep, if set, is told once a sweep how things stand.
	ObserveSweep func(context.Context, Sweep)
}

// Summary is what one invocation did for one stream.
type Summary struct {
	Stream string
	// Claimed, Forwarded, Aside and Left count records. Left went back to the
	// queue; Reclaimed came back to it from drainers that died.
	Claimed, Forwarded, Aside, Left, Reclaimed int
	// ForwardedBytes counts the bytes of the bodies forwarded.
	ForwardedBytes int
	// Retried and Throttled count entries, as sink.Result does.
	Retried, Throttled int
	// LostClaims counts claims that were gone when they were to be
	// acknowledged: their records may arrive twice.
	LostClaims int
	// Depth is how many records the queue had when the last claim was taken.
	Depth int64
	// MaxAge is the longest time from a record's receipt until Kinesis had it.
	MaxAge time.Duration
	// Err is the first error that left records behind.
	Err error
}

// Sweep is how things stand when a sweep begins.
type Sweep struct {
	// Queues are the queues of streams.json's streams; nil when Redis did not
	// tell of each.
	Queues map[string]queue.State
	// Policy is Redis' eviction policy, empty when unknown.
	Policy string
}

// Handler is the drainer. It is safe for concurrent use.
type Handler struct {
	o     Options
	slots chan struct{}
}

// New returns a drainer with the defaults filled in.
func New(o Options) *Handler {
	o.Lease = orDefault(o.Lease, 20*time.Second)
	o.ClaimRecords = orDefault(o.ClaimRecords, 500)
	o.ClaimBytes = orDefault(o.ClaimBytes, 1<<20)
	o.ClaimsInFlight = orDefault(o.ClaimsInFlight, 8)
	o.TotalClaims = orDefault(o.TotalClaims, 16)
	o.ScaleOutRecords = orDefault(o.ScaleOutRecords, 50_000)
	o.MaxDrainers = orDefault(o.MaxDrainers, 10)
	o.WakeInterval = orDefault(o.WakeInterval, time.Second)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Observe == nil {
		o.Observe = func(context.Context, Summary) {}
	}
	return &Handler{o: o, slots: make(chan struct{}, o.TotalClaims)}
}

func orDefault[T int | time.Duration](value, byDefault T) T {
	if value <= 0 {
		return byDefault
	}
	return value
}
