// Package verify compares what the parts of the pipeline say about a stream, so
// that every record that was accepted is found in the archive once.
//
// The counters of the queue must add up. Each record on the tap must be part of a
// packed record that the bridge logged as accepted by Firehose. For a stream without a
// tap the drainer logs the packed records. Each object that Firehose wrote must be,
// decompressed, a concatenation of such packed records, and each packed record must be
// in the archive once, in an object of its time. Each direct record that ingest logged
// must be in the archive.
//
// Packed records with the same bytes cannot be distinguished by their content. They are
// matched with lines of the log by time, see match and flow.
package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/tap"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// ErrNoLog is the error of objects that cannot be explained because there is no log
// line of a packed record of their time.
var ErrNoLog = errors.New("the logs of the bridge and the drainer have no packed record of this time")

// Config says what to verify, and with what.
type Config struct {
	// Stream is the stream's name, and Format the format of its objects.
	Stream string
	Format stream.Format
	// HoldsGzip says that the archive does not compress the objects, although their
	// names end in ".gz": the bodies are gzip members.
	HoldsGzip bool
	// From and To bound the packed records that are looked for, by the time at
	// which they were logged, and the records of the tap, by their arrival.
	// All objects of the hours that this time touches are explained.
	From, To time.Time
	// Settle is the age at which a record is missing and no longer in flight. It
	// must be longer than Firehose buffers.
	Settle time.Duration
	// Buffer is the time for which Firehose buffers the stream. Default 15 minutes.
	Buffer time.Duration
	// Objects is the archive.
	Objects *bucket.Bucket
	// Packed calls each with the packed records of the stream that the bridge and the
	// drainer logged from one time to another, in any order.
	Packed func(ctx context.Context, from, to time.Time, each func(pack.Line) error) error
	// Direct calls each with the direct records of the stream that ingest logged from
	// one time to another, in any order; nil leaves the comparison out.
	Direct func(ctx context.Context, from, to time.Time, each func(archive.Line) error) error
	// Queue is the state of the stream's queue; nil leaves the queue out.
	Queue *queue.State
	// LostSince, if set, is the time since which losses of the queue are reported. By
	// default the losses that were found last in the window are. Redis keeps only the
	// time of the last loss, so a loss in the window stays unknown if there is one after
	// the window too.
	LostSince time.Time
	// Tap calls each with the records of the tap that arrived from one time to
	// another, the records of a shard in order; nil leaves the tap out.
	Tap func(ctx context.Context, from, to time.Time, each func(tap.Record) error) error
	// DeadLetters calls each with the shard and sequence number of the records of
	// the tap that are dead letters. It is called only with Tap.
	DeadLetters func(ctx context.Context, each func(shard, sequence string)) error
	// Summaries adds the description of each object to the Report, for manifests.
	Summaries bool
	// Progress, if set, is called for each object that was read, with the number
	// of objects to read.
	Progress func(o bucket.Object, of int)
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

const (
	// lead is how much earlier than the window an object may begin that holds
	// records of the window. It is a whole hour, as the folders are.
	lead = time.Hour
	// maxBuffer is the longest time for which Firehose buffers, and maxInvocation
	// the longest time after Firehose accepted a record at which it is logged: the
	// longest time that Lambda runs.
	maxBuffer     = 15 * time.Minute
	maxInvocation = 15 * time.Minute
	// edge is by how much the clocks of the functions, Firehose and S3 may differ.
	edge = 5 * time.Second
	// maxObject is far more than Firehose writes into an object, decompressed.
	maxObject = 1 << 30
)

// LogTime returns the time of the logs of packed records that Run reads for a window.
func LogTime(from, to time.Time) (begin, end time.Time) {
	return firstHour(from).Add(-lead - edge), lastHour(to).Add(maxBuffer + maxInvocation)
}

// firstHour is the beginning of the first hour that a window touches, lastHour
// the end of the last one.
func firstHour(from time.Time) time.Time { return from.UTC().Truncate(time.Hour) }
func lastHour(to time.Time) time.Time    { return to.UTC().Add(time.Hour - 1).Truncate(time.Hour) }

// Run verifies one stream. Its error says what could not be read; a difference
// is a Finding and not an error. Run holds one object at a time in memory,
// decompressed, and a line for each packed record and each record of the tap.
func Run(ctx context.Context, c Config) (*Report, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Buffer = cmp.Or(c.Buffer, maxBuffer)
	v := &verification{Config: c, report: &Report{
		Stream: c.Stream, From: c.From.UTC(), To: c.To.UTC(), Direct: make(map[archive.Reason]Count), Findings: []Finding{},
	}}
	v.judgeQueue()
	// List the objects before reading the log: a record that is written meanwhile
	// is then in flight at worst, and never unknown.
	for o, err := range v.Objects.Hours(ctx, v.Stream+"/", v.begin().Add(-lead), v.To) {
		if err != nil {
			return nil, err
		}
		v.listed = append(v.listed, o)
	}
	var lines []pack.Line
	from, to := LogTime(v.From, v.To)
	err := v.Packed(ctx, from, to, func(p pack.Line) error {
		lines = append(lines, p)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the log of packed records: %w", err)
	}
	v.index = newIndex(lines)
	for _, step := range []func(context.Context) error{v.readDirectLog, v.readTap, v.readObjects, v.judgeDirect} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	v.judgeObjects()
	v.judgeRepeats()
	v.judgeLines()
	v.judgeReset()
	return v.report, nil
}

// verification is one Run.
type verification struct {
	Config
	report *Report
	listed []bucket.Object // of the hour before the window too
	index  *index
	// direct are the lines of ingest's log whose objects were not read yet, by key.
	direct map[string]archive.Line
	// objects are the objects of Firehose that were read, and objectOf, for each
	// line of the index, the object that has its record.
	objects  []*object
	objectOf []*object
}

// begin and end bound the hours whose objects are verified.
func (v *verification) begin() time.Time { return firstHour(v.From) }
func (v *verification) end() time.Time   { return lastHour(v.To) }

// inWindow reports whether a time is in the window.
func (v *verification) inWindow(t time.Time) bool { return !t.Before(v.From) && t.Before(v.To) }

// isYoung reports whether the effects of an event at t may not show everywhere
// yet.
func (v *verification) isYoung(t time.Time) bool { return v.Now().Sub(t) < v.Settle }

// isDue reports whether the record of a line must be in the archive by now.
func (v *verification) isDue(line int) bool {
	at := v.index.lines[line].LoggedAt
	return v.inWindow(at) && !v.isYoung(at)
}

// judgeRepeats reports which records of the tap the bridge sent to Firehose more than
// once, by its log: the sequence numbers of two packed records of a shard overlap, or
// are the same where the log does not have the shard.
func (v *verification) judgeRepeats() {
	if v.Tap != nil {
		return // the comparison with the tap is exact
	}
	lines := slices.DeleteFunc(slices.Clone(v.index.lines), func(p pack.Line) bool { return !p.FromTap() })
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
			lines[i].LastSequence = before.LastSequence // it may overlap with the next lines too
		}
		if p.LoggedAt.Before(before.LoggedAt) {
			before, p = p, before
		}
		if v.inWindow(p.LoggedAt) {
			v.report.find(Finding{
				Kind: Twice, Hop: HopBridge, Bytes: int64(p.Bytes), Records: p.Records, Packed: 1, LoggedAt: p.LoggedAt,
				FirstSequence: p.FirstSequence, LastSequence: p.LastSequence,
				Detail: fmt.Sprintf("up to %d records, %d bytes, sent to Firehose at %s, and some or all of them at %s before", p.Records, p.Bytes, stamp(p.LoggedAt), stamp(before.LoggedAt)),
			})
		}
	}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
