package drain

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// deliver puts the records of a claim to Kinesis, makes dead letters of those that
// can never be delivered, and settles the claim.
func (r *run) deliver(ctx, work context.Context, c queue.Claim, leased time.Time) claimResult {
	records, positions, dead := decode(c, r.h.o.Now())
	entries := make([]sink.Entry, len(records))
	for i, record := range records {
		key := record.KinesisKey()
		entries[i] = sink.Entry{PartitionKey: key, AnyShard: record.PartitionKey == "" && len(key) >= minRandomKey, Data: record.Body}
	}

	// Stop putting at 3/4 of the lease: after it another drainer may own these
	// records, and the last quarter is needed to settle.
	putCtx, cancel := context.WithDeadline(work, leased.Add(r.h.o.Lease*3/4))
	result := r.h.o.Sink.Put(putCtx, r.resource, entries)
	cancel()

	now := r.h.o.Now()
	final := make(map[int]bool)
	for _, refused := range slices.Concat(result.Invalid, tooOld(result.Doubtful, records, now)) {
		final[refused.Index] = true
		dead = append(dead, deadLetter{positions[refused.Index], deadLetterOf(records[refused.Index], refused.Reason, now)})
	}
	var left, later []int
	for _, i := range result.Left {
		switch {
		case final[i]:
			// It is a dead letter.
		case result.Throttled > 0 && !entries[i].AnyShard:
			// The shard of a key that a client chose is full. At the head of the
			// queue the record would hold back those of other shards.
			later = append(later, positions[i])
		default:
			left = append(left, positions[i])
		}
	}
	written, archiveErr := r.putDeadLetters(ctx, c, dead)
	if archiveErr != nil {
		for _, d := range dead {
			left = append(left, d.position)
		}
	}
	held, err := r.settle(ctx, c, left, later, written)

	forwarded := len(records) - len(result.Left) - len(result.Invalid)
	r.note(c, delivered{
		records: records, result: result, left: len(left) + len(later), dead: len(written),
		forwarded: forwarded, held: held, archiveErr: archiveErr, settleErr: err,
	})
	return claimResult{
		moved: forwarded + len(written), left: len(left) + len(later), later: len(later), depth: c.Depth,
		throttled: result.Throttled > 0, err: err,
	}
}

// minRandomKey is the number of bytes that a partition key needs to be replaced by
// a random one; see sink.Entry.AnyShard.
const minRandomKey = 16

// tooOld returns those of the doubtful entries whose records are too old to wait
// any longer.
func tooOld(doubtful []sink.Invalid, records []envelope.Record, now time.Time) []sink.Invalid {
	var old []sink.Invalid
	for _, d := range doubtful {
		if now.Sub(records[d.Index].ReceivedAt) >= sink.DoubtfulAge {
			old = append(old, d)
		}
	}
	return old
}

// deadLetter is a record that can never be delivered, and its position in its claim.
type deadLetter struct {
	position int
	record   archive.DeadLetter
}

// decode returns the records of a claim with their positions in it. An envelope
// that cannot be decoded becomes a dead letter.
func decode(c queue.Claim, now time.Time) (records []envelope.Record, positions []int, dead []deadLetter) {
	records = make([]envelope.Record, 0, len(c.Envelopes))
	positions = make([]int, 0, len(c.Envelopes))
	for i, e := range c.Envelopes {
		r, err := envelope.Decode(e)
		if err != nil {
			dead = append(dead, deadLetter{i, archive.DeadLetter{Stream: c.Stream, Reason: err.Error(), FailedAt: now, Envelope: e}})
			continue
		}
		records = append(records, r)
		positions = append(positions, i)
	}
	return records, positions, dead
}

func deadLetterOf(r envelope.Record, reason string, now time.Time) archive.DeadLetter {
	return archive.DeadLetter{
		Stream: r.Stream, Reason: reason, FailedAt: now, ReceivedAt: r.ReceivedAt,
		ID: r.ID, PartitionKey: r.PartitionKey, Body: r.Body,
	}
}

// putDeadLetters writes dead letters to the archive and returns their positions.
// The object has the name of the claim, so that a repeated call overwrites it.
func (r *run) putDeadLetters(ctx context.Context, c queue.Claim, dead []deadLetter) ([]int, error) {
	if len(dead) == 0 {
		return nil, nil
	}
	slices.SortFunc(dead, func(a, b deadLetter) int { return a.position - b.position })
	records := make([]archive.DeadLetter, len(dead))
	positions := make([]int, len(dead))
	for i, d := range dead {
		records[i], positions[i] = d.record, d.position
	}
	if _, err := r.h.o.Archive.PutDeadLetters(ctx, archive.StageDrainer, c.Stream, c.ID, records); err != nil {
		return nil, fmt.Errorf("writing %d dead letters: %w", len(dead), err)
	}
	return positions, nil
}

// settleTries is the number of attempts to settle a claim while Redis does not
// answer. A repeated attempt is safe: it does not change a claim that no longer
// exists.
const settleTries = 3

// settle acknowledges a claim, or releases what is left of it: left to the head of
// the queue, later to its tail.
func (r *run) settle(ctx context.Context, c queue.Claim, left, later, deadLetters []int) (held bool, err error) {
	for try := range settleTries {
		if try > 0 && !sleep(ctx, fullJitter(try)) {
			break
		}
		if len(left)+len(later) > 0 {
			held, err = r.h.o.Queue.Release(ctx, c, left, later, deadLetters)
		} else {
			held, err = r.h.o.Queue.Ack(ctx, c, deadLetters)
		}
		if err == nil {
			// After a try whose answer was lost, a claim that was settled looks
			// like one that was lost.
			return held || try > 0, nil
		}
	}
	return false, err
}

// delivered is what note adds to the summary.
type delivered struct {
	records               []envelope.Record
	result                sink.Result
	left, dead, forwarded int
	held                  bool
	archiveErr, settleErr error
}

func (r *run) note(c queue.Claim, d delivered) {
	now := r.h.o.Now()
	failed := make(map[int]bool, len(d.result.Left)+len(d.result.Invalid))
	for _, i := range d.result.Left {
		failed[i] = true
	}
	for _, invalid := range d.result.Invalid {
		failed[invalid.Index] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.summary
	for i, record := range d.records {
		if !failed[i] {
			s.ForwardedBytes += len(record.Body)
			s.MaxAge = max(s.MaxAge, now.Sub(record.ReceivedAt))
		}
	}
	s.Claimed += len(c.Envelopes)
	s.Forwarded += d.forwarded
	s.DeadLettered += d.dead
	s.Left += d.left
	s.Retried += d.result.Retried
	s.Throttled += d.result.Throttled
	if !d.held && d.settleErr == nil {
		s.LostClaims++
	}
	if s.Err == nil {
		s.Err = d.result.Err
	}
	if s.Err == nil {
		s.Err = d.archiveErr
	}
}
