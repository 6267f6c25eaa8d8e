// Package drain is the drainer function: it moves records from the queues to the
// Kinesis data streams. The records of a stream without a tap, and of a stream whose
// tap is ending, it packs and puts to the stream's Firehose.
//
// Delivery is at least once: a claim is acknowledged after the service has accepted
// its records, and returns to the queue when that is unknown. Order is not guaranteed,
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

// recordQueue is implemented by *queue.Queue.
type recordQueue interface {
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

// writer is implemented by *sink.Writer.
type writer interface {
	// Put puts entries to the Kinesis stream or Firehose with that AWS name.
	Put(ctx context.Context, stream string, entries []sink.Entry) sink.Result
}

// deadLetterArchive is implemented by *archive.Archive.
type deadLetterArchive interface {
	PutDeadLetters(ctx context.Context, stage, streamName, name string, records []archive.DeadLetter) (key string, err error)
}

// waker is implemented by *wake.Waker.
type waker interface {
	// Wake wakes another drainer for a stream after delay.
	Wake(ctx context.Context, stream string, delay time.Duration) error
}

// Config is the environment and the parts of a Handler. All are required except
// TotalClaims, Now, Log and the observers. Of the environment, the handler reads the
// name of the deployment, the limits of claims and drainers, and Wake.Interval,
// which is the delay of the wake-up for a successor.
type Config struct {
	env.Drainer
	Streams *stream.Set
	Queue   recordQueue
	// Kinesis accepts the records of streams that feed a tap, Firehose the packed
	// records of the other streams.
	Kinesis, Firehose writer
	Archive           deadLetterArchive
	Waker             waker

	// TotalClaims limits the claims of all streams and so, with ClaimBytes, the
	// memory of an invocation. Default 16.
	TotalClaims int

	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Log receives warnings and errors, and the lines that pack.LogPacked names. Default slog.Default.
	Log *slog.Logger
	// Observe, if set, is called with the summary of each stream of an invocation, and
	// ObserveClaim with the summary of each claim when it is settled. Several goroutines
	// call them at once.
	Observe, ObserveClaim func(Summary)
	// ObserveSweep, if set, is called once for each sweep.
	ObserveSweep func(Sweep)
}

// Summary is what one invocation, or one of its claims, did for one stream.
type Summary struct {
	Stream string
	// Claimed, Forwarded, DeadLettered and Left count records. Left records
	// returned to the queue. Reclaimed records returned to it from drainers that
	// died.
	Claimed, Forwarded, DeadLettered, Left, Reclaimed int
	// ForwardedBytes counts the bytes of the bodies forwarded.
	ForwardedBytes int
	// Packed counts the Firehose records into which the forwarded records were packed.
	// It is 0 for a stream that feeds a tap.
	Packed int
	// Retried and Throttled count entries, as in sink.Result: records that were put to
	// Kinesis, or packed records that were put to Firehose.
	Retried, Throttled int
	// LostClaims counts claims that no longer existed when they were acknowledged:
	// their records may arrive twice.
	LostClaims int
	// Depth is the depth of the queue after the last claim.
	Depth int64
	// MaxAge is the longest time from a record's receipt until Kinesis or Firehose had
	// it.
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
	config Config
	// slots holds an element for each claim in work.
	slots chan struct{}
	// checked reports whether the permissions of the Redis user were found to be
	// sufficient.
	checked atomic.Bool

	observing sync.Mutex // held while a sweep reads the state of the queues; guards last
	last      map[string]queue.State
}

// New returns a drainer.
func New(c Config) *Handler {
	if c.TotalClaims == 0 {
		c.TotalClaims = 16
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Observe == nil {
		c.Observe = func(Summary) {}
	}
	if c.ObserveClaim == nil {
		c.ObserveClaim = func(Summary) {}
	}
	if c.ObserveSweep == nil {
		c.ObserveSweep = func(Sweep) {}
	}
	return &Handler{config: c, slots: make(chan struct{}, c.TotalClaims), last: make(map[string]queue.State)}
}
