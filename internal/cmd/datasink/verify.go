package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/deployment"
	"github.com/data-sink/data-sink/internal/operate/failed"
	"github.com/data-sink/data-sink/internal/operate/manifest"
	"github.com/data-sink/data-sink/internal/operate/tap"
	"github.com/data-sink/data-sink/internal/operate/verify"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

type verifyVerb struct {
	Stream   []string      `help:"Streams to verify. Defaults to all."`
	From     moment        `default:"1h" help:"Start of the period to verify, by the time at which the records were sent to Firehose."`
	To       moment        `default:"now" help:"End of the period."`
	Tap      bool          `help:"Also read the tap, if the stream has one, and compare it with the bridge's log. The command shares the read limits of the tap with the bridge, and holds one entry for each record in memory."`
	Manifest bool          `help:"Write the manifests of the complete hours in the period that are over and have no difference."`
	Settle   time.Duration `help:"Age at which a record that is not in the archive counts as missing instead of in flight. Defaults to the Firehose buffer time of the stream plus five minutes."`
	JSON     bool          `name:"json" group:"output" help:"Print a JSON array with a report for each stream."`
	progress
	connection
	streamsFile
}

// Help shows with datasink verify --help.
func (*verifyVerb) Help() string {
	return `The command compares the hops of the pipeline. The counters of the queue must add up.
With --tap the bridge must have sent every record of the tap. Each object of the
hours in the period must be, decompressed, a concatenation of packed records that
the bridge or, for a stream without a tap, the drainer logged, and each packed record
must be in the archive once, in an object of its time. Each direct record (oversize, fallback, overflow) that ingest logged
must be in the archive.

With --manifest the command writes a list of the objects of each complete hour to
_manifests/<stream>/dt=…/hour=HH.json and .txt in the archive bucket. After that no
object is added to the hour, except by a list of its own, hour=HH.late-1.json. An hour
that is not over yet, or that has a difference, gets none.

Each difference is printed with its kind, hop, object and bytes. The kinds are
missing, twice, changed, misplaced, unknown, unreadable, unbalanced and lost. The
exit code is 3 if there is a difference, and 1 if something could not be verified.

The command needs the logs of the drainer, the bridge and ingest for the period. Their
retention is a setting of the stack.

Times are in UTC: 2026-11-22T23:05, 2026-11-22T10, a date, now, or a duration before now
such as 90m or 2d.

Examples:

  datasink verify
  datasink verify --stream orders --from 2026-11-22T10 --to 2026-11-22T12
  datasink verify --stream orders --from 30m --tap
  datasink verify --from 1d --manifest
  datasink verify --json | jq '.[].findings[]'`
}

// Validate returns a usageError if one of Stream cannot be the name of a stream. Kong
// calls it.
func (v *verifyVerb) Validate() error {
	for _, name := range v.Stream {
		if err := checkStream(name); err != nil {
			return err
		}
	}
	return nil
}

// Run verifies streams one after another. If the queues cannot be inspected, the
// rest is verified, and Run returns the reason at the end.
func (v *verifyVerb) Run(ctx context.Context, c console) error {
	if !v.From.Before(v.To.Time) {
		return usage("--from: want a time before --to")
	}
	listed, err := v.streamsFile.names()
	if err != nil {
		return err
	}
	t, archive, err := v.findArchive(ctx, c, v.Manifest)
	if err != nil {
		return err
	}
	inspection, uninspected := t.Inspect(ctx)
	if uninspected != nil && ctx.Err() != nil {
		return uninspected
	}
	names, err := v.names(ctx, archive, inspection, listed)
	if err != nil {
		return errors.Join(err, uninspected)
	}
	reports, equal := []*verify.Report{}, true
	for _, name := range names {
		began := time.Now()
		r, err := v.verify(ctx, c, t, archive, inspection, name)
		if err != nil {
			return fmt.Errorf("verifying %s: %w", name, err)
		}
		if reason, ok := inspection.Errors[name]; ok {
			uninspected = errors.Join(uninspected, fmt.Errorf("inspecting the queue of %s: %s", name, reason))
		}
		if v.Manifest {
			if err := v.writeManifests(ctx, c, t, archive, r, began); err != nil {
				return err
			}
		}
		reports = append(reports, r)
		equal = equal && r.Equal()
		if !v.JSON {
			printReport(c.out, r)
		}
	}
	if v.JSON {
		if err := printJSON(c.out, reports); err != nil {
			return err
		}
	}
	switch {
	case uninspected != nil:
		return fmt.Errorf("verifying without the counters of the queue: %w", uninspected)
	case !equal:
		return exit(exitDifferent)
	}
	return nil
}

// names returns the streams to verify. A stream is known if the deployment has a
// queue for it, or, in case the queues cannot be inspected, if streams.json, which has
// the listed streams, or the archive has it.
func (v *verifyVerb) names(ctx context.Context, archive deployment.Archive, inspection drain.Inspection, listed []string) ([]string, error) {
	known := make(map[string]bool)
	for _, states := range []map[string]queue.State{inspection.Streams, inspection.Orphans} {
		for name := range states {
			known[name] = true
		}
	}
	for name := range inspection.Errors {
		known[name] = true
	}
	if len(known) == 0 {
		names, err := folderNames(ctx, archive)
		if err != nil {
			return nil, err
		}
		for _, name := range append(names, listed...) {
			known[name] = true
		}
	}
	for _, name := range v.Stream {
		if !known[name] {
			return nil, unknownStream(name, slices.Sorted(maps.Keys(known)))
		}
	}
	if len(v.Stream) > 0 {
		return v.Stream, nil
	}
	for name := range inspection.Orphans {
		delete(known, name)
	}
	return slices.Sorted(maps.Keys(known)), nil
}

// folderNames returns the streams with a folder in the archive.
func folderNames(ctx context.Context, archive deployment.Archive) ([]string, error) {
	var names []string
	folders, err := archive.Folders(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, folder := range folders {
		name := strings.TrimSuffix(folder, "/")
		if stream.ValidateName(name) == nil {
			names = append(names, name)
		}
	}
	return names, nil
}

func (v *verifyVerb) verify(ctx context.Context, c console, t deployment.Target, a deployment.Archive, inspection drain.Inspection, name string) (*verify.Report, error) {
	s, _, err := v.streamsFile.stream(name)
	if err != nil {
		return nil, err
	}
	config := verify.Config{
		Stream: name, Format: s.Format, HoldsGzip: s.HoldsGzip(), Buffer: time.Duration(s.BufferSeconds) * time.Second, From: v.From.Time, To: v.To.Time, Settle: v.Settle, Objects: a.Bucket, Summaries: v.Manifest,
		Packed: func(ctx context.Context, from, to time.Time, each func(pack.Line) error) error {
			return t.Packed(ctx, name, from, to, each)
		},
		Direct: func(ctx context.Context, from, to time.Time, each func(archive.Line) error) error {
			return t.Direct(ctx, name, from, to, each)
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
	if v.Tap && inspection.Taps[name] != stream.TapOff {
		config.Tap = func(ctx context.Context, from, to time.Time, each func(tap.Record) error) error {
			return t.Tap(ctx, name, tap.Window{From: from, Until: to}, each)
		}
		config.DeadLetters = func(ctx context.Context, each func(shard, sequence string)) error {
			return tapDeadLetters(ctx, a.Bucket, name, v.From.Time, each)
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

// writeManifests writes the manifests of the hours of a report that had been over, when
// the verification began, for as long as a record takes to the archive.
func (v *verifyVerb) writeManifests(ctx context.Context, c console, t deployment.Target, a deployment.Archive, r *verify.Report, began time.Time) error {
	s, _, err := v.streamsFile.stream(r.Stream)
	if err != nil {
		return err
	}
	to := r.To
	if over := began.UTC().Add(-t.Settle(s)); over.Before(to) {
		to = over
	}
	list := &manifest.Archive{Bucket: a.Bucket, Store: a.Store}
	hours, err := list.Hours(ctx, r.Stream, r.From, to)
	if err != nil {
		return err
	}
	complete := r.CompleteHours(r.From, to)
	n := 0
	for _, at := range slices.SortedFunc(maps.Keys(complete), time.Time.Compare) {
		written, err := list.Write(ctx, r.Stream, at, hours[at], complete[at])
		if err != nil {
			return err
		}
		if written {
			n++
			fmt.Fprintf(c.err, "datasink: wrote a manifest of %s, %s\n", r.Stream, at.Format("2006-01-02T15"))
		}
	}
	switch {
	case len(complete) == 0:
		fmt.Fprintf(c.err, "datasink: no manifest of %s is due: no whole hour (UTC) of the period has been over for %v and has no difference\n", r.Stream, t.Settle(s))
	case n == 0:
		fmt.Fprintf(c.err, "datasink: no manifest of %s is due: each complete hour of the period has its manifests\n", r.Stream)
	}
	return nil
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
