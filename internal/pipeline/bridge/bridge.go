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
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// writer is implemented by *sink.Writer.
type writer interface {
	// Put writes entries to the stream with that AWS name. It does not keep the
	// entries after it returns.
	Put(ctx context.Context, stream string, entries []sink.Entry) sink.Result
}

// deadLetterArchive is implemented by *archive.Archive.
type deadLetterArchive interface {
	PutDeadLetters(ctx context.Context, stage, streamName, name string, records []archive.DeadLetter) (key string, err error)
}

// margin is the time before the invocation's deadline at which sending ends. It is
// enough time to write dead letters and to respond.
const margin = 2 * time.Second

// Config is the environment and the parts of a Handler. All are required except Now,
// Log and Observe. Of the environment, the handler reads the name of the deployment.
type Config struct {
	env.Bridge
	Streams *stream.Set
	// Firehose retries until its context ends.
	Firehose writer
	Archive  deadLetterArchive

	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Log receives the lines that pack.LogPacked, LogDeadLetters and LogUndelivered
	// name. Default slog.Default.
	Log *slog.Logger
	// Observe, if set, is called with the summary of each batch, by several goroutines
	// at once.
	Observe func(Summary)
}

// FirehoseWriter returns a writer for Config.Firehose.
func FirehoseWriter(service sink.Service) *sink.Writer {
	return &sink.Writer{Service: service, Limits: sink.FirehoseLimits}
}

// Handler is the bridge's Lambda handler. It is safe for concurrent use.
type Handler struct {
	config Config
	heads  heads
}

// New returns a Handler.
func New(c Config) *Handler {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Observe == nil {
		c.Observe = func(Summary) {}
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
