package drain

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/backoff"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// delivery is the work on one claim.
type delivery struct {
	claim   queue.Claim
	records []envelope.Record
	// positions are the positions of the records in the claim.
	positions []int
	// dead are the records that can never be delivered. left are the positions of the
	// records that return to the head of the queue, later of those that return to its
	// tail.
	dead        []deadLetter
	left, later []int
	// result is that of Kinesis or Firehose, with the indices of records. packed is the
	// number of Firehose records into which the drainer packed the records.
	result sink.Result
	packed int
	// archiveErr is the error for which the dead letters were not written.
	archiveErr error
}

// deadLetter is a record that can never be delivered, and its position in its claim.
type deadLetter struct {
	position int
	record   archive.DeadLetter
}

// decode decodes the records of a claim. An envelope that cannot be decoded becomes a
// dead letter.
func (r *run) decode(c queue.Claim) *delivery {
	d := &delivery{claim: c, records: make([]envelope.Record, 0, len(c.Envelopes)), positions: make([]int, 0, len(c.Envelopes))}
	for i, e := range c.Envelopes {
		record, err := envelope.Decode(e)
		if err != nil {
			d.dead = append(d.dead, deadLetter{i, archive.DeadLetter{Stream: c.Stream, Reason: err.Error(), FailedAt: r.config.Now(), Envelope: e}})
			continue
		}
		d.records = append(d.records, record)
		d.positions = append(d.positions, i)
	}
	return d
}

// refuse makes a record a dead letter.
func (d *delivery) refuse(refused sink.Invalid, now time.Time) {
	r := d.records[refused.Index]
	d.dead = append(d.dead, deadLetter{d.positions[refused.Index], archive.DeadLetter{
		Stream: r.Stream, Reason: refused.Reason, FailedAt: now, ReceivedAt: r.ReceivedAt,
		ID: r.ID, PartitionKey: r.PartitionKey, Body: r.Body,
	}})
}

// settle writes the dead letters of a claim, acknowledges or releases the claim, and
// adds the delivery to the summary. Records whose dead letters could not be written
// return to the queue.
func (r *run) settle(ctx context.Context, d *delivery) claimResult {
	written, err := r.putDeadLetters(ctx, d)
	if d.archiveErr = err; err != nil {
		for _, letter := range d.dead {
			d.left = append(d.left, letter.position)
		}
	}
	held, err := r.release(ctx, d, written)
	s := r.summarize(d, len(written), !held && err == nil)
	r.config.ObserveClaim(s)
	r.mu.Lock()
	r.summary.add(s)
	r.mu.Unlock()
	return claimResult{
		moved: d.forwarded() + len(written), left: len(d.left) + len(d.later), later: len(d.later), depth: d.claim.Depth,
		throttled: d.result.Throttled > 0, err: err,
	}
}

// putDeadLetters writes the dead letters to the archive and returns their positions.
// The object has the name of the claim, so that a repeated call overwrites it.
func (r *run) putDeadLetters(ctx context.Context, d *delivery) ([]int, error) {
	if len(d.dead) == 0 {
		return nil, nil
	}
	slices.SortFunc(d.dead, func(a, b deadLetter) int { return a.position - b.position })
	records := make([]archive.DeadLetter, len(d.dead))
	positions := make([]int, len(d.dead))
	for i, letter := range d.dead {
		records[i], positions[i] = letter.record, letter.position
	}
	if _, err := r.config.Archive.PutDeadLetters(ctx, archive.StageDrainer, d.claim.Stream, d.claim.ID, records); err != nil {
		return nil, fmt.Errorf("writing %d dead letters: %w", len(d.dead), err)
	}
	return positions, nil
}

// settleTries is the number of attempts to settle a claim while Redis does not
// answer. A repeated attempt is safe: it does not change a claim that no longer
// exists.
const settleTries = 3

// release acknowledges a claim, or releases what is left of it. It reports whether
// the claim still existed.
func (r *run) release(ctx context.Context, d *delivery, deadLetters []int) (held bool, err error) {
	for try := range settleTries {
		if try > 0 && !backoff.Sleep(ctx, backoff.Jitter(try, minPause, maxPause)) {
			break
		}
		if len(d.left)+len(d.later) > 0 {
			held, err = r.config.Queue.Release(ctx, d.claim, d.left, d.later, deadLetters)
		} else {
			held, err = r.config.Queue.Ack(ctx, d.claim, deadLetters)
		}
		if err == nil {
			// After a try whose answer was lost, a claim that was settled looks
			// like one that was lost.
			return held || try > 0, nil
		}
	}
	return false, err
}

// forwarded is the number of records that Kinesis or Firehose accepted.
func (d *delivery) forwarded() int {
	return len(d.records) - len(d.result.Left) - len(d.result.Invalid)
}

// summarize returns the summary of a claim.
func (r *run) summarize(d *delivery, deadLetters int, lost bool) Summary {
	now := r.config.Now()
	failed := make(map[int]bool, len(d.result.Left)+len(d.result.Invalid))
	for _, i := range d.result.Left {
		failed[i] = true
	}
	for _, invalid := range d.result.Invalid {
		failed[invalid.Index] = true
	}
	s := Summary{
		Stream: r.name, Claimed: len(d.claim.Envelopes), Forwarded: d.forwarded(), Packed: d.packed, DeadLettered: deadLetters,
		Left: len(d.left) + len(d.later), Retried: d.result.Retried, Throttled: d.result.Throttled, Err: cmp.Or(d.result.Err, d.archiveErr),
	}
	for i, record := range d.records {
		if !failed[i] {
			s.ForwardedBytes += len(record.Body)
			s.MaxAge = max(s.MaxAge, now.Sub(record.ReceivedAt))
		}
	}
	if lost {
		s.LostClaims = 1
	}
	return s
}

// add adds the summary of a claim.
func (s *Summary) add(claim Summary) {
	s.Claimed += claim.Claimed
	s.Forwarded += claim.Forwarded
	s.ForwardedBytes += claim.ForwardedBytes
	s.Packed += claim.Packed
	s.DeadLettered += claim.DeadLettered
	s.Left += claim.Left
	s.Retried += claim.Retried
	s.Throttled += claim.Throttled
	s.LostClaims += claim.LostClaims
	s.MaxAge = max(s.MaxAge, claim.MaxAge)
	s.Err = cmp.Or(s.Err, claim.Err)
}
