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

// deliver puts a claim's records to Kinesis, puts aside what can never go there,
// and settles the claim.
func (l *lane) deliver(ctx, work context.Context, c queue.Claim, leased time.Time) turn {
	records, positions, aside := decode(c, l.h.o.Now())
	entries := make([]sink.Entry, len(records))
	for i, r := range records {
		entries[i] = sink.Entry{PartitionKey: r.KinesisKey(), Data: r.Body}
	}

	// Whoever puts past the lease puts what is another's already: a quarter of
	// it is left for the settlement.
	putCtx, cancel := context.WithDeadline(work, leased.Add(l.h.o.Lease*3/4))
	result := l.h.o.Sink.Put(putCtx, l.resource, entries)
	cancel()

	left := make([]int, 0, len(result.Left))
	for _, i := range result.Left {
		left = append(left, positions[i])
	}
	for _, invalid := range result.Invalid {
		aside = append(aside, asideRecord{positions[invalid.Index], asideOf(records[invalid.Index], invalid.Reason, l.h.o.Now())})
	}
	asidePositions, asideErr := l.putAside(ctx, c, aside)
	if asideErr != nil {
		for _, a := range aside {
			left = append(left, a.position)
		}
	}
	held, err := l.settle(ctx, c, left, asidePositions)

	forwarded := len(records) - len(result.Left) - len(result.Invalid)
	l.note(c, outcome{
		records: records, result: result, left: len(left), aside: len(asidePositions),
		forwarded: forwarded, held: held, asideErr: asideErr, settleErr: err,
	})
	return turn{
		moved: forwarded + len(asidePositions), left: len(left), depth: c.Depth,
		throttled: result.Throttled > 0, err: err,
	}
}

// asideRecord is a record that can never be delivered, and where it stands in
// its claim.
type asideRecord struct {
	position int
	record   archive.DeadLetter
}

// decode returns the records of a claim with their positions in it, and apart
// from them what is no envelope.
func decode(c queue.Claim, now time.Time) (records []envelope.Record, positions []int, aside []asideRecord) {
	records = make([]envelope.Record, 0, len(c.Envelopes))
	positions = make([]int, 0, len(c.Envelopes))
	for i, e := range c.Envelopes {
		r, err := envelope.Decode(e)
		if err != nil {
			aside = append(aside, asideRecord{i, archive.DeadLetter{Stream: c.Stream, Reason: err.Error(), FailedAt: now, Envelope: e}})
			continue
		}
		records = append(records, r)
		positions = append(positions, i)
	}
	return records, positions, aside
}

func asideOf(r envelope.Record, reason string, now time.Time) archive.DeadLetter {
	return archive.DeadLetter{
		Stream: r.Stream, Reason: reason, FailedAt: now, ReceivedAt: r.ReceivedAt,
		ID: r.ID, PartitionKey: r.PartitionKey, Body: r.Body,
	}
}

// putAside writes what can never be delivered to the archive and returns the
// positions that are safe there: all, or none. The object is named after the
// claim, so that a repetition overwrites it.
func (l *lane) putAside(ctx context.Context, c queue.Claim, aside []asideRecord) ([]int, error) {
	if len(aside) == 0 {
		return nil, nil
	}
	slices.SortFunc(aside, func(a, b asideRecord) int { return a.position - b.position })
	records := make([]archive.DeadLetter, len(aside))
	positions := make([]int, len(aside))
	for i, a := range aside {
		records[i], positions[i] = a.record, a.position
	}
	if _, err := l.h.o.Archive.PutDeadLetters(ctx, archive.StageDrainer, c.Stream, c.ID, records); err != nil {
		return nil, fmt.Errorf("putting %d records aside: %w", len(aside), err)
	}
	return positions, nil
}

// settleTries is how often a claim is settled while Redis does not answer. To
// settle it again is safe: a claim that is gone is left alone.
const settleTries = 3

// settle acknowledges a claim, or releases what is left of it.
func (l *lane) settle(ctx context.Context, c queue.Claim, left, aside []int) (held bool, err error) {
	for try := range settleTries {
		if try > 0 && !sleep(ctx, fullJitter(try)) {
			break
		}
		if len(left) > 0 {
			held, err = l.h.o.Queue.Release(ctx, c, left, aside)
		} else {
			held, err = l.h.o.Queue.Ack(ctx, c, aside)
		}
		if err == nil {
			// One that an earlier try settled unheard looks as if it were lost.
			return held || try > 0, nil
		}
	}
	return false, err
}

// outcome is what note adds to the summary.
type outcome struct {
	records                []envelope.Record
	result                 sink.Result
	left, aside, forwarded int
	held                   bool
	asideErr, settleErr    error
}

func (l *lane) note(c queue.Claim, o outcome) {
	now := l.h.o.Now()
	failed := make(map[int]bool, len(o.result.Left)+len(o.result.Invalid))
	for _, i := range o.result.Left {
		failed[i] = true
	}
	for _, invalid := range o.result.Invalid {
		failed[invalid.Index] = true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.summary
	for i, r := range o.records {
		if !failed[i] {
			s.ForwardedBytes += len(r.Body)
			s.MaxAge = max(s.MaxAge, now.Sub(r.ReceivedAt))
		}
	}
	s.Claimed += len(c.Envelopes)
	s.Forwarded += o.forwarded
	s.Aside += o.aside
	s.Left += o.left
	s.Retried += o.result.Retried
	s.Throttled += o.result.Throttled
	if !o.held && o.settleErr == nil {
		s.LostClaims++
	}
	if s.Err == nil {
		s.Err = o.result.Err
	}
	if s.Err == nil {
		s.Err = o.asideErr
	}
}
