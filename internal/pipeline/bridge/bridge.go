// Package bridge delivers records from Kinesis to Firehose.
//
// The bodies of a batch are framed and packed (see package pack) and sent to the
// stream's Firehose. Delivery is at least once: the records from the first
// undelivered one on are redelivered with the next invocation. A shard whose first
// record was not delivered is retried one packed record after another, so that the
// duplicates are bounded: one batch for each environment of the function in which a
// batch failed, and one packed record for each further try. No record is dropped: a
// record that Firehose never accepts becomes a dead letter.
package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

type writer interface {
	// Put writes entries to the stream with that AWS name. It does not keep the
	// entries after it returns.
	Put(ctx context.Context, stream string, entries []sink.Entry) sink.Result
}

type failedArchive interface {
	PutDeadLetters(ctx context.Context, stage, streamName, name string, records []archive.DeadLetter) (key string, err error)
}

// defaultMargin is enough time to write dead letters and to respond.
const defaultMargin = 2 * time.Second

// Config configures a Handler.
type Config struct {
	// Deployment is the deployment's name. The names of its Kinesis streams and
	// Firehoses begin with it.
	Deployment string
	// Streams are the streams of streams.json.
	Streams *stream.Set
	// Firehose accepts packed records. It retries until its context ends.
	Firehose writer
	// Archive accepts dead letters.
	Archive failedArchive
	// Margin is the time before the invocation's deadline at which sending ends, so
	// that the function can still respond. Default 2 s.
	Margin time.Duration
	// Observe is called with the outcome of every batch; may be nil. It may be
	// called from several goroutines at once.
	Observe func(Summary)
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Log receives the lines that pack.LogPacked, LogDeadLetters and LogUndelivered
	// name. Default slog.Default.
	Log *slog.Logger
}

// Handler is the bridge's Lambda handler. It is safe for concurrent use.
type Handler struct {
	config Config
	heads  heads
}

// New returns a Handler. All fields of c without a default must be set.
func New(c Config) *Handler {
	if c.Margin == 0 {
		c.Margin = defaultMargin
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Handler{config: c}
}

// Invoke accepts the JSON of a Kinesis event and returns the JSON of an
// events.KinesisEventResponse, which names the first undelivered record, by
// position, or no record.
//
// Invoke returns an error, before it sends anything, for a malformed event and for
// an event of a stream that is not in streams.json: the stream was removed before
// its records had drained, or this function is not updated yet. Lambda retries such
// a batch until the stream is known or the mapping gives up and writes the records
// to the archive's bucket. The bridge cannot write them as dead letters itself,
// because a mistake in streams.json would then drain the whole stream.
func (h *Handler) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	w := workspaces.Get().(*workspace)
	defer w.free()
	batches, err := h.prepare(w, event)
	if err != nil {
		return nil, err
	}
	response := events.KinesisEventResponse{BatchItemFailures: []events.KinesisBatchItemFailure{}}
	for _, b := range batches {
		if first := h.deliver(ctx, b); first < len(b.records) {
			failure := events.KinesisBatchItemFailure{ItemIdentifier: string(b.records[first].sequence)}
			response.BatchItemFailures = append(response.BatchItemFailures, failure)
			break // Lambda redelivers all later records as well.
		}
	}
	answer, err := json.Marshal(response)
	if err != nil {
		return nil, fmt.Errorf("encoding response: %w", err)
	}
	return answer, nil
}
