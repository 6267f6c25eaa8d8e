// Package bridge carries records from Kinesis to Firehose.
//
// A batch's bodies are framed as their stream's format says and packed, many to
// a Firehose record: Firehose concatenates its records into objects anyway, and
// bills each as at least 5 KB. Delivery is at least once: of a batch that was
// not delivered whole, what stands behind the first undelivered record comes
// again. Nothing is dropped: what Firehose will never take goes to failed/.
package bridge

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

type writer interface {
	// Put writes entries to the stream of that AWS name. It does not keep them
	// after it returns.
	Put(ctx context.Context, stream string, entries []sink.Entry) sink.Result
}

type failedArchive interface {
	PutDeadLetters(ctx context.Context, stage, streamName, name string, records []archive.DeadLetter) (key string, err error)
}

// defaultMargin is enough to put something aside and to answer.
const defaultMargin = 2 * time.Second

// Config is what a Handler works with.
type Config struct {
	// Deployment is the deployment's name, with which those of its Kinesis
	// streams and Firehoses begin.
	Deployment string
	// Streams are those of streams.json.
	Streams *stream.Set
	// Firehose takes what is packed. It retries until its context ends.
	Firehose writer
	// Archive takes what Firehose never will.
	Archive failedArchive
	// Margin is how long before the invocation's deadline sending ends, so that
	// the function can still answer. 0 is 2 s.
	Margin time.Duration
	// Observe is told of every batch; nil for nobody. It may be called from
	// several goroutines at once.
	Observe func(Summary)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Log takes what LogPacked and its like name; nil is slog.Default.
	Log *slog.Logger
}

// Handler is the bridge's Lambda handler. It is safe for concurrent use.
type Handler struct {
	config Config
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

// Invoke takes the JSON of a Kinesis event and returns that of an
// events.KinesisEventResponse, which names the first record, by position, that
// was not delivered, or none.
//
// It returns an error, and has sent nothing then, for an event that it does not
// understand and for one of a stream that streams.json does not name (removed
// before its records had drained, or not known yet amid a deploy). Lambda keeps
// such a batch and invokes again, until the stream is back or the mapping gives
// up and writes the records to the archive's bucket itself. To put them aside
// here would need the format, and would end a stream on a mere mistake.
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
			break // what follows comes again too
		}
	}
	answer, err := json.Marshal(response)
	if err != nil {
		return nil, fmt.Errorf("encoding response: %w", err)
	}
	return answer, nil
}

// batch is successive records of an event that are of one stream.
type batch struct {
	stream   stream.Stream
	records  []record
	packs    []pack.Packed
	oversize []int
}

// appendBody appends the body of record i to dst.
func (b *batch) appendBody(dst []byte, i int) ([]byte, error) {
	dst, err := base64.StdEncoding.AppendDecode(dst, b.records[i].data)
	if err != nil {
		return nil, fmt.Errorf("record %s: decoding body: %w", b.records[i].sequence, err)
	}
	return dst, nil
}

// packedLen is an upper bound of what packing records appends, in bytes.
func packedLen(records []record) int {
	n := 0
	for i := range records {
		n += base64.StdEncoding.DecodedLen(len(records[i].data)) + len("\n")
	}
	return n
}

// prepare makes batches of an event. Lambda sends the records of one stream in
// an event; should it be otherwise, each run of records of one stream is a batch.
func (h *Handler) prepare(w *workspace, event []byte) ([]batch, error) {
	var err error
	if w.records, err = decode(w.records[:0], event); err != nil {
		return nil, err
	}
	w.reserve(packedLen(w.records))
	var batches []batch
	for left := w.records; len(left) > 0; {
		arn, n := string(left[0].arn), 1
		for n < len(left) && string(left[n].arn) == arn {
			n++
		}
		b := batch{records: left[:n]}
		left = left[n:]
		if b.stream, err = h.lookup(arn); err != nil {
			return nil, err
		}
		if w.packed, b.packs, b.oversize, err = pack.Pack(w.packed, b.stream.Format, len(b.records), b.appendBody); err != nil {
			return nil, fmt.Errorf("packing records of %s: %w", b.stream.Name, err)
		}
		batches = append(batches, b)
	}
	return batches, nil
}

// lookup finds the stream of an ARN, which is that of a Kinesis stream or of a
// consumer of one.
func (h *Handler) lookup(arn string) (stream.Stream, error) {
	_, resource, _ := strings.Cut(arn, ":stream/")
	resource, _, _ = strings.Cut(resource, "/")
	if name, ok := strings.CutPrefix(resource, stream.ResourceName(h.config.Deployment, "")); ok {
		if s, ok := h.config.Streams.Lookup(name); ok {
			return s, nil
		}
	}
	return stream.Stream{}, fmt.Errorf("looking up %s: not a stream of %s in streams.json", arn, h.config.Deployment)
}
