// Package verify compares what the hops of the pipeline say of a stream: received
// equals stored, exactly.
//
// The queue's counters must add up. Each record of the tap must be part of a
// packed record that the bridge logged as delivered to Firehose. Each object that
// came through Firehose must be, decompressed, a concatenation of such packed
// records, each of which stands in the archive once. Objects that were written
// straight to the archive are read and listed.
package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
)

// ErrNoLog says that objects cannot be explained, for the log of their time is
// gone or out of reach.
var ErrNoLog = errors.New("the bridge's log has no line of this time")

// Config says what to verify, and with what.
type Config struct {
	// Stream is the stream's name.
	Stream string
	// From and To bound the packed records that are looked for, by when the
	// bridge logged them, and the records of the tap, by when they arrived. All
	// objects of the hours that this time touches are explained.
	From, To time.Time
	// Settle is how old a record must be to be missing rather than in flight:
	// longer than Firehose buffers.
	Settle time.Duration
	// Objects is the archive.
	Objects *bucket.Bucket
	// Packed calls each with the packed records of the stream that the bridge
	// logged from one time to another, in any order.
	Packed func(ctx context.Context, from, to time.Time, each func(pack.Line) error) error
	// Queue is the state of the stream's queue; nil leaves the queue out.
	Queue *queue.State
	// Tap calls each with the records of the tap that arrived from one time to
	// another, those of a shard in order; nil leaves the tap out.
	Tap func(ctx context.Context, from, to time.Time, each func(Tapped) error) error
	// Aside calls each with the shard and sequence number of the records that the
	// bridge, or its mapping, put aside. It is asked only with Tap.
	Aside func(ctx context.Context, each func(shard, sequence string)) error
	// Progress, if set, is told of each object that was read, of so many.
	Progress func(o bucket.Object, of int)
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

const (
	// lead is how much earlier than the window an object may begin whose records
	// were logged in it: whole hours, as the folders are.
	lead = time.Hour
	// tail is how much later than its hour records of an object may be logged:
	// Firehose buffers for 15 minutes at most, and the bridge logs at the end of
	// an invocation, of 15 more.
	tail = 30 * time.Minute
	// edge is by how much, at the most, the clocks of bridge and Firehose differ: a
	// record logged so shortly before an hour ends may be in an object of the next.
	edge = time.Minute
	// maxObject is far more than Firehose puts into an object, decompressed.
	maxObject = 1 << 30
)

// LogTime is the time of the bridge's log that Run reads for a window.
func LogTime(from, to time.Time) (begin, end time.Time) {
	return from.UTC().Truncate(time.Hour).Add(-lead), to.UTC().Truncate(time.Hour).Add(time.Hour + tail)
}

// Run verifies one stream. The error is one of reading, never a difference. It
// holds one object at a time in memory, decompressed, and of each packed record
// and each record of the tap a line.
func Run(ctx context.Context, c Config) (*Report, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	v := &verification{Config: c, report: &Report{
		Stream: c.Stream, From: c.From.UTC(), To: c.To.UTC(), Direct: make(map[archive.Reason]Count), Findings: []Finding{},
	}}
	v.balance()
	// The objects before the log: what is written meanwhile is then at worst in
	// flight, never unknown.
	begin := v.From.UTC().Truncate(time.Hour)
	for o, err := range v.Objects.Hours(ctx, v.Stream+"/", begin.Add(-lead), v.To) {
		if err != nil {
			return nil, err
		}
		v.objects = append(v.objects, o)
	}
	var lines []pack.Line
	logged, end := LogTime(v.From, v.To)
	err := v.Packed(ctx, logged, end, func(p pack.Line) error {
		lines = append(lines, p)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the bridge's log: %w", err)
	}
	v.ledger = newLedger(lines)
	v.foundIn = make([]string, len(lines))
	for _, step := range []func(context.Context) error{v.readTap, v.readObjects} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	v.judgeObjects()
	v.judgeRepeats()
	v.judgeLines()
	return v.report, nil
}

// verification is one Run.
type verification struct {
	Config
	report    *Report
	objects   []bucket.Object // those of the hour before the window too
	ledger    *ledger
	foundIn   []string // of each line of the ledger, the object that has it
	explained []storedObject
}

// inWindow reports whether a time is in the window.
func (v *verification) inWindow(t time.Time) bool { return !t.Before(v.From) && t.Before(v.To) }

// isYoung reports whether what happened at t may not show everywhere yet.
func (v *verification) isYoung(t time.Time) bool { return v.Now().Sub(t) < v.Settle }

// balance checks the queue's counters.
func (v *verification) balance() {
	if v.Queue == nil {
		return
	}
	q := Queue{
		Accepted: v.Queue.Accepted, Queued: v.Queue.Depth, Claimed: v.Queue.ClaimedRecords,
		Forwarded: v.Queue.Forwarded, Aside: v.Queue.DeadLettered,
	}
	v.report.Queue = &q
	if sum := q.Queued + q.Claimed + q.Forwarded + q.Aside; sum != q.Accepted {
		v.report.find(Finding{
			Kind: Unbalanced, Hop: HopQueue, Detail: fmt.Sprintf("accepted %d records, but %d are queued, claimed, forwarded or put aside", q.Accepted, sum),
		})
	}
}

// judgeLines says which packed records are archived, in flight or missing.
func (v *verification) judgeLines() {
	missing := gap{kind: Missing, hop: HopArchive, what: "in no object"}
	for i, p := range v.ledger.lines {
		if !v.inWindow(p.LoggedAt) {
			continue
		}
		v.report.Bridged.add(p)
		isMissing := false
		switch {
		case v.ledger.found[i] > 0:
			v.report.Archived.add(p)
		case v.isYoung(p.LoggedAt):
			v.report.InFlight.add(p)
		default:
			isMissing = true
		}
		missing.extend(v.report, p, isMissing)
	}
	missing.close(v.report)
}

// judgeRepeats says which records the bridge sent to Firehose more than once, as
// far as its log tells: by overlapping sequence numbers of a shard, or by the
// same first one where the log does not name the shard.
func (v *verification) judgeRepeats() {
	if v.Tap != nil {
		return // which told exactly
	}
	lines := slices.Clone(v.ledger.lines)
	slices.SortStableFunc(lines, func(a, b pack.Line) int {
		return cmp.Or(cmp.Compare(a.Shard, b.Shard), compareSequences(a.FirstSequence, b.FirstSequence))
	})
	for i := 1; i < len(lines); i++ {
		before, p := lines[i-1], lines[i]
		overlaps := p.FirstSequence == before.FirstSequence || p.Shard != "" && compareSequences(p.FirstSequence, before.LastSequence) <= 0
		if p.Shard != before.Shard || !overlaps {
			continue
		}
		if compareSequences(p.LastSequence, before.LastSequence) < 0 {
			lines[i].LastSequence = before.LastSequence // reaches over the next ones too
		}
		if p.LoggedAt.Before(before.LoggedAt) {
			before, p = p, before
		}
		if v.inWindow(p.LoggedAt) {
			v.report.find(Finding{
				Kind: Twice, Hop: HopBridge, Bytes: int64(p.Bytes), Records: p.Records, Packed: 1, LoggedAt: p.LoggedAt,
				FirstSequence: p.FirstSequence, LastSequence: p.LastSequence,
				Detail: fmt.Sprintf("up to %d records, %d bytes, sent to Firehose at %s and, some or all of them, at %s before", p.Records, p.Bytes, stamp(p.LoggedAt), stamp(before.LoggedAt)),
			})
		}
	}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
