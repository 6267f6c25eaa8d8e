package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// batchPushTime bounds the pushes of one batch together. After it, the remaining
// lines become a direct record.
const batchPushTime = 2 * time.Second

// errBatchSlow means that the pushes of a batch took batchPushTime.
var errBatchSlow = errors.New("not pushing: the earlier parts of the batch took too long")

// envelopeOverhead is an upper bound of the bytes that the envelope of a line needs
// beside stream, partition key and body.
const envelopeOverhead = 64

// cut counts the lines of a batch, or returns a refusal.
func (p *submission) cut() error {
	p.lines, p.queued, p.queuedBytes = countLines(p.body)
	bound := int64(p.stream.MaxBacklogMiB) << 20
	switch {
	case p.lines == 0:
		return &noLines
	case p.lines > maxLines:
		return &tooManyLines
	case bound > 0 && p.stream.Overflow == stream.Refuse && p.envelopeBytes() > bound:
		return overBacklog(p.stream.MaxBacklogMiB)
	}
	return nil
}

// envelopeBytes returns an upper bound of the size of all envelopes of a batch.
func (p *submission) envelopeBytes() int64 {
	return int64(p.queuedBytes + p.queued*(envelopeOverhead+len(p.stream.Name)+len(p.partitionKey)))
}

// keepLines makes every line of a batch durable, or returns a refusal. After a
// refusal with 503, some lines can be durable: the client repeats the batch.
//
// Lines that are too large for the tap become direct records. Without an
// idempotency key this comes first: if the archive fails, nothing has been pushed
// that a repeated batch would push again. With a key it comes last: the push checks
// the key before anything is kept, and does not push anything twice.
func (h *Handler) keepLines(ctx context.Context, p *submission, o *Outcome) error {
	if p.key != nil {
		if err := h.keepQueued(ctx, p, o); err != nil {
			return err
		}
		return h.keepOversize(ctx, p, o)
	}
	if err := h.keepOversize(ctx, p, o); err != nil {
		return err
	}
	return h.keepQueued(ctx, p, o)
}

// keepQueued pushes the lines that fit the tap in parts. The lines from the first
// part on that the queue does not accept become one direct record.
func (h *Handler) keepQueued(ctx context.Context, p *submission, o *Outcome) error {
	left, err := h.pushLines(ctx, p, o)
	if err == nil {
		return nil
	}
	lines, first, n := left.join()
	return h.notQueued(ctx, p, p.record(lineID(p.id, first), lines), n, err, o)
}

// keepOversize writes each line that is too large for the tap as a direct record.
func (h *Handler) keepOversize(ctx context.Context, p *submission, o *Outcome) error {
	if p.queued == p.lines {
		return nil
	}
	c := cursor{rest: p.body}
	for {
		index := c.index
		line, ok := c.next()
		if !ok {
			return nil
		}
		if !isOversize(line) {
			continue
		}
		if err := h.toArchive(ctx, p.stream, p.record(lineID(p.id, index), line), 1, archive.Oversize, nil, o); err != nil {
			return err
		}
	}
}

// pushLines pushes the lines of a batch in parts. It returns the position of the
// first line that the queue has not accepted, and the error of its part.
func (h *Handler) pushLines(ctx context.Context, p *submission, o *Outcome) (left cursor, err error) {
	left = cursor{rest: p.body}
	start, wakeDue := time.Now(), false
	defer func() {
		if wakeDue {
			h.wake(ctx, p.stream.Name)
		}
	}()
	bound := int64(p.stream.MaxBacklogMiB) << 20
	for left.queued < p.queued {
		if time.Since(start) >= batchPushTime {
			return left, errBatchSlow
		}
		part, after, err := p.part(left)
		if err != nil {
			return left, err
		}
		var pushed queue.PartPushed
		err = h.try(ctx, p.stream.Name, o, func(ctx context.Context) (err error) {
			pushed, err = h.config.Queue.PushPart(ctx, p.stream.Name, part, bound)
			return err
		})
		if err != nil {
			return left, err
		}
		wakeDue = wakeDue || pushed.WakeDue
		bound = 0 // It holds for the whole batch, and was checked with the first part.
		if pushed.Replayed {
			o.Replayed += after.queued - left.queued
		} else {
			o.Records += after.queued - left.queued
		}
		// An earlier try of the same request can have pushed more than this part.
		for left = after; left.queued < min(pushed.Done, p.queued); {
			left.nextQueued()
			o.Replayed++
		}
	}
	return left, nil
}

// part returns the part of a batch that begins at a position, and the position
// after it. Only the envelopes of one part are in memory at a time.
func (p *submission) part(from cursor) (part queue.Part, after cursor, err error) {
	part = queue.Part{First: from.queued, RequestBytes: p.envelopeBytes(), Key: p.key}
	size := 0
	for after = from; len(part.Envelopes) < queue.MaxPartEnvelopes; {
		next := after
		line, index, ok := next.nextQueued()
		if !ok {
			break
		}
		encoded, err := envelope.Encode(p.record(lineID(p.id, index), line))
		if err != nil {
			return queue.Part{}, from, err
		}
		if size += len(encoded); size > queue.MaxPartBytes && len(part.Envelopes) > 0 {
			break
		}
		part.Envelopes = append(part.Envelopes, encoded)
		after = next
	}
	return part, after, nil
}
