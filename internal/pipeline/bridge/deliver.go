package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// The log lines of the bridge, besides pack.LogPacked. Alarms go by these names
// and by their attributes.
const (
	// LogAside is records that went to failed/: stream, records, key, reason.
	LogAside = "records_put_aside"
	// LogUndelivered is records that come again: stream, records,
	// firstSequence, error.
	LogUndelivered = "undelivered"
)

// Summary is what became of a batch.
type Summary struct {
	// Stream is the stream's name.
	Stream string
	// Records and Bytes count what Firehose took, as records of the stream and as
	// framed bytes; Packed is how many Firehose records that made.
	Records, Bytes, Packed int
	// Aside counts records that went to failed/.
	Aside int
	// Undelivered counts records that come again. Those of them that Firehose
	// took all the same are in Records too.
	Undelivered int
	// Calls, Retried and Throttled are those of sink.Result.
	Calls, Retried, Throttled int
	// Age is how long the batch's first record was in Kinesis when the batch was
	// done with; 0 when unknown.
	Age time.Duration
}

// deliver sends a batch and returns the position of the first record that was
// not delivered; the number of records when all were.
func (h *Handler) deliver(ctx context.Context, b batch) (first int) {
	result := h.send(ctx, b)
	summary := Summary{Stream: b.stream.Name, Calls: result.Calls, Retried: result.Retried, Throttled: result.Throttled}
	first, err := len(b.records), result.Err
	if len(result.Left) > 0 {
		first = b.packs[result.Left[0]].First
	}
	for _, r := range b.rejected(result.Invalid) {
		if r.first >= first {
			break // it comes again
		}
		if failed := h.putAside(ctx, b, r); failed != nil {
			first, err = r.first, errors.Join(err, failed)
			break
		}
		summary.Aside += r.end - r.first
	}
	h.logPacked(ctx, b, result, &summary)
	if summary.Undelivered = len(b.records) - first; summary.Undelivered > 0 {
		h.config.Log.WarnContext(ctx, LogUndelivered, "stream", b.stream.Name, "records", summary.Undelivered,
			"firstSequence", string(b.records[first].sequence), "error", err)
	}
	if h.config.Observe != nil {
		if arrived := b.records[0].arrivedAt(); !arrived.IsZero() {
			summary.Age = h.config.Now().Sub(arrived)
		}
		h.config.Observe(summary)
	}
	return first
}

// send puts the batch's Firehose records, in order.
func (h *Handler) send(ctx context.Context, b batch) sink.Result {
	if len(b.packs) == 0 {
		return sink.Result{}
	}
	entries := make([]sink.Entry, len(b.packs))
	for i, p := range b.packs {
		entries[i].Data = p.Body
	}
	ctx, cancel := endingEarlier(ctx, h.config.Margin)
	defer cancel()
	return h.config.Firehose.Put(ctx, stream.ResourceName(h.config.Deployment, b.stream.Name), entries)
}

// logPacked logs and counts what was delivered.
func (h *Handler) logPacked(ctx context.Context, b batch, result sink.Result, summary *Summary) {
	undelivered := make([]bool, len(b.packs))
	for _, i := range result.Left {
		undelivered[i] = true
	}
	for _, invalid := range result.Invalid {
		undelivered[invalid.Index] = true
	}
	for i, p := range b.packs {
		if undelivered[i] {
			continue
		}
		line := pack.Line{
			Stream: b.stream.Name, Bytes: len(p.Body), Records: p.End - p.First, Hash: xxhash.Sum64(p.Body), Shard: b.records[p.First].shard(),
			FirstSequence: string(b.records[p.First].sequence), LastSequence: string(b.records[p.End-1].sequence),
		}
		line.Log(ctx, h.config.Log)
		summary.Packed++
		summary.Bytes += len(p.Body)
		summary.Records += p.End - p.First
	}
}

// rejects are the records [first, end) of a batch, which Firehose will never
// take.
type rejects struct {
	first, end int
	reason     string
}

// rejected lists, by position, what was not sent because of its size and what
// Firehose called invalid.
func (b batch) rejected(invalid []sink.Invalid) []rejects {
	var list []rejects
	for _, i := range b.oversize {
		list = append(list, rejects{first: i, end: i + 1, reason: fmt.Sprintf("over the limit of %d bytes when framed", stream.MaxFramedBytes)})
	}
	for _, v := range invalid {
		p := b.packs[v.Index]
		list = append(list, rejects{first: p.First, end: p.End, reason: "Firehose record of these: " + v.Reason})
	}
	slices.SortFunc(list, func(a, b rejects) int { return a.first - b.first })
	return list
}

// endingEarlier bounds ctx by its own deadline less a margin.
func endingEarlier(ctx context.Context, margin time.Duration) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, deadline.Add(-margin))
}
