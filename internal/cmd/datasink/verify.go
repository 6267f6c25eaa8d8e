package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/deployment"
	"github.com/data-sink/data-sink/internal/operate/failed"
	"github.com/data-sink/data-sink/internal/operate/tap"
	"github.com/data-sink/data-sink/internal/operate/verify"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
)

type verifyVerb struct {
	Stream []string      `help:"Streams to verify. Defaults to all."`
	From   moment        `default:"1h" help:"Start of the period to verify, by the time at which the bridge sent the records."`
	To     moment        `default:"now" help:"End of the period."`
	Tap    bool          `help:"Also read the tap and compare it with the bridge's log. The command shares the read limits of the tap with the bridge, and holds one entry for each record in memory."`
	Settle time.Duration `help:"Age at which a record that is not in the archive counts as missing instead of in flight. Defaults to the Firehose buffer time of the stream plus five minutes."`
	JSON   bool          `name:"json" group:"output" help:"Print a JSON array with a report for each stream."`
	progress
	connection
	streamsFile
}

// Help shows with datasink verify --help.
func (*verifyVerb) Help() string {
	return `The command compares the hops of the pipeline. The counters of the queue must add up.
With --tap the bridge must have sent every record of the tap. Each object of the
hours in the period must be, decompressed, a concatenation of packed records that
the bridge logged, and each packed record must be in the archive once. Direct
records (oversize, fallback, overflow) are read and counted separately.

Each difference is printed with its kind, hop, object and bytes. The kinds are
missing, twice, changed, unknown, unreadable and unbalanced. The exit code is 3 if
there is a difference.

The command needs the bridge's log of the period. Its retention is a setting of the
stack.

Times are in UTC: 2026-11-22T23:05, a date, or a duration before now such as 90m or 2d.

Examples:

  datasink verify
  datasink verify --stream orders --from 2026-11-22T10 --to 2026-11-22T12
  datasink verify --stream orders --from 30m --tap
  datasink verify --json | jq '.[].findings[]'`
}

// Run verifies streams one after another.
func (v *verifyVerb) Run(ctx context.Context, c console) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	if !v.From.Before(v.To.Time) {
		return usage("--from: want a time before --to")
	}
	t, err := v.find(ctx, c)
	if err != nil {
		return err
	}
	archive, err := t.Archive(ctx)
	if err != nil {
		return err
	}
	inspection, err := t.Inspect(ctx)
	if err != nil {
		return err
	}
	names := v.Stream
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(inspection.Streams))
	}
	reports, equal := []*verify.Report{}, true
	for _, name := range names {
		r, err := v.verify(ctx, c, t, archive, inspection, name)
		if err != nil {
			return fmt.Errorf("verifying %s: %w", name, err)
		}
		reports = append(reports, r)
		equal = equal && r.Equal()
		if !v.JSON {
			printReport(c, r)
		}
	}
	if v.JSON {
		if err := printJSON(c.out, reports); err != nil {
			return err
		}
	}
	if !equal {
		return exit(exitDifferent)
	}
	return nil
}

func (v *verifyVerb) verify(ctx context.Context, c console, t deployment.Target, archive deployment.Archive, inspection drain.Inspection, name string) (*verify.Report, error) {
	s, _, err := v.streamsFile.stream(name)
	if err != nil {
		return nil, err
	}
	config := verify.Config{
		Stream: name, Format: s.Format, Buffer: time.Duration(s.BufferSeconds) * time.Second, From: v.From.Time, To: v.To.Time, Settle: v.Settle, Objects: archive.Bucket,
		Packed: func(ctx context.Context, from, to time.Time, each func(pack.Line) error) error {
			return t.Packed(ctx, name, from, to, each)
		},
	}
	if config.Settle == 0 {
		config.Settle = t.Settle(s)
	}
	if state, ok := inspection.Streams[name]; ok {
		config.Queue = &state
	} else if state, ok := inspection.Orphans[name]; ok {
		config.Queue = &state
	}
	if v.Tap {
		config.Tap = func(ctx context.Context, from, to time.Time, each func(tap.Record) error) error {
			return t.Tap(ctx, name, tap.Window{From: from, Until: to}, each)
		}
		config.DeadLetters = func(ctx context.Context, each func(shard, sequence string)) error {
			return tapDeadLetters(ctx, archive.Bucket, name, v.From.Time, each)
		}
	}
	var b *bar
	read := int64(0)
	config.Progress = func(o bucket.Object, of int) {
		if b == nil {
			b = v.bar(c, name, int64(of), false)
		}
		read += o.Size
		b.add(1)
		b.say(bytesText(read))
	}
	report, err := verify.Run(ctx, config)
	if b != nil {
		b.end()
	}
	return report, err
}

// tapDeadLetters calls each with every record of the tap that became a dead letter
// since a time.
func tapDeadLetters(ctx context.Context, b *bucket.Bucket, name string, since time.Time, each func(shard, sequence string)) error {
	for o, err := range failed.List(ctx, b, failed.Filter{Stream: name, From: since}) {
		if err != nil {
			return err
		}
		if o.Stage != archive.StageBridge && o.Stage != failed.StageLambda {
			continue
		}
		for r, err := range failed.Records(ctx, b, o) {
			if err != nil {
				return err
			}
			shard, sequence, _ := strings.Cut(r.ID, ":")
			each(shard, sequence)
		}
	}
	return nil
}

// printReport writes a report as text.
func printReport(c console, r *verify.Report) {
	fmt.Fprintf(c.out, "%s, %s to %s UTC\n", r.Stream, r.From.Format(time.DateTime), r.To.Format(time.DateTime))
	var rows [][]string
	row := func(hop string, text string, args ...any) {
		rows = append(rows, []string{"  " + hop, fmt.Sprintf(text, args...)})
	}
	if q := r.Queue; q != nil {
		row("queue", "%d accepted in total: %d queued, %d claimed, %d forwarded, %d dead letters", q.Accepted, q.Queued, q.Claimed, q.Forwarded, q.DeadLettered)
	}
	if r.Tap != nil {
		row("tap", "%d records, %s; %d not sent by the bridge yet, %d dead letters", r.Tap.Records, bytesText(r.Tap.Bytes), r.TapInFlight.Records, r.DeadLettered.Records)
	}
	row("bridge", "%d records, %s, in %d packed records", r.Bridged.Records, bytesText(r.Bridged.Bytes), r.Bridged.Packed)
	row("archive", "%d records, %s; %d in flight; %d objects read", r.Archived.Records, bytesText(r.Archived.Bytes), r.InFlight.Records, r.Read.Objects)
	if r.Unsettled > 0 {
		row("", "%s in objects that are so new that the log may not have them yet", bytesText(r.Unsettled))
	}
	for _, why := range slices.Sorted(maps.Keys(r.Direct)) {
		row(string(why), "%d records, %s, each an object of its own", r.Direct[why].Records, bytesText(r.Direct[why].Bytes))
	}
	width := 0
	for _, row := range rows {
		width = max(width, len(row[0]))
	}
	for _, row := range rows {
		fmt.Fprintf(c.out, "%-*s  %s\n", width, row[0], row[1])
	}
	if r.Equal() {
		fmt.Fprintln(c.out, "  equal")
		return
	}
	fmt.Fprintf(c.out, "  %s:\n", counted(len(r.Findings), "difference"))
	for _, f := range r.Findings {
		fmt.Fprintln(c.out, "  - "+f.String())
	}
}
