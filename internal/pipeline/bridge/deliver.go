package bridge

import (
	"context"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/pack"
)

// The log lines of the bridge, besides pack.LogPacked. Alarms filter on these names
// and attributes.
const (
	// LogDeadLetters is records that became dead letters: stream, records, key,
	// reason (of the first record).
	LogDeadLetters = "records_put_aside"
	// LogUndelivered is records that will be redelivered: stream, records,
	// firstSequence, error, and blockedSince if the first of them was sent before.
	LogUndelivered = "undelivered"
)

// Summary is the outcome of a batch.
type Summary struct {
	// Stream is the stream's name.
	Stream string
	// Records is the number of records that Firehose accepted, and Packed the number
	// of Firehose records that they were packed into.
	Records, Packed int
	// DeadLettered is the number of records that became dead letters.
	DeadLettered int
	// Settled is the number of records that are delivered or dead letters and will not
	// be redelivered. Undelivered is the number of records that will be redelivered.
	// Records counts those of them that Firehose has accepted nevertheless.
	Settled, Undelivered int
	// Age is the time from the arrival of the batch's first record on the tap until
	// the end of the work on the batch; 0 if unknown.
	Age time.Duration
	// Blocked is how long Firehose has refused the record with which the batch
	// begins; 0 if the record is settled or was sent for the first time.
	Blocked time.Duration
}

// attempt is the work on one batch in one invocation.
type attempt struct {
	*Handler
	*batch
	summary Summary
	err     error // why records are left
}

// deliver sends a batch and returns the position of the first record that is not
// settled, or the number of records if all are settled.
//
// If this environment has sent the first record before, it sends one part after
// another and stops at the first that is not settled. So the parts behind a part
// that Firehose refuses are not delivered again with each retry.
func (h *Handler) deliver(ctx context.Context, b *batch) (first int) {
	a := attempt{Handler: h, batch: b, summary: Summary{Stream: b.stream.Name}}
	sequence := string(b.records[0].sequence)
	head, again := h.heads.begin(b.shard(), sequence, h.config.Now())
	if again {
		first = a.retry(ctx, head)
	} else {
		first = a.settle(ctx, b.parts)
	}
	a.summary.Settled, a.summary.Undelivered = first, len(b.records)-first
	if first < len(b.records) {
		h.heads.left(b.shard(), string(b.records[first].sequence), h.config.Now())
		a.logUndelivered(ctx, first, again && first == 0, head)
	} else {
		h.heads.settled(b.shard())
	}
	if arrived := b.records[0].arrivedAt(); !arrived.IsZero() {
		a.summary.Age = h.config.Now().Sub(arrived)
	}
	h.config.Observe(a.summary)
	return first
}

func (a *attempt) logUndelivered(ctx context.Context, first int, blocked bool, head head) {
	attributes := []any{
		"stream", a.stream.Name, "records", a.summary.Undelivered,
		"firstSequence", string(a.records[first].sequence), "error", a.err,
	}
	if blocked {
		a.summary.Blocked = a.config.Now().Sub(head.since)
		attributes = append(attributes, "blockedSince", head.since)
	}
	a.config.Log.WarnContext(ctx, LogUndelivered, attributes...)
}

// settle sends parts of the batch and returns the position of the first record of
// them that is not settled, or the number of the batch's records.
func (a *attempt) settle(ctx context.Context, parts []pack.Part) (first int) {
	a.send(ctx, parts)
	return a.finish(ctx, a.sendAlone(ctx, parts))
}

// finish logs the delivered parts and writes dead letters for the refused parts. It
// returns the position of the first record that is not settled. It writes no dead
// letters for parts behind that record, because they are redelivered.
func (a *attempt) finish(ctx context.Context, parts []pack.Part) (first int) {
	end := 0 // of the parts that are settled
	for end < len(parts) && parts[end].Outcome != pack.Left && parts[end].Outcome != pack.Doubtful {
		run := end + 1
		if parts[end].Outcome == pack.Refused {
			for run < len(parts) && parts[run].Outcome == pack.Refused {
				run++
			}
			n, err := a.putDeadLetters(ctx, a.batch, parts[end:run])
			if err != nil {
				a.err = err
				break
			}
			a.summary.DeadLettered += n
		}
		end = run
	}
	for _, p := range parts {
		if p.Outcome == pack.Delivered {
			a.logPacked(ctx, p)
		}
	}
	if end < len(parts) {
		return parts[end].First
	}
	return len(a.records)
}

// logPacked logs and counts a part that Firehose accepted.
func (a *attempt) logPacked(ctx context.Context, p pack.Part) {
	firstRecord, lastRecord := &a.records[p.First], &a.records[p.End-1]
	line := p.Line(a.stream.Name)
	line.Shard, line.FirstSequence, line.LastSequence = firstRecord.shard(), string(firstRecord.sequence), string(lastRecord.sequence)
	line.Log(ctx, a.config.Log)
	a.summary.Packed++
	a.summary.Records += line.Records
}
