package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/post"
	"github.com/data-sink/data-sink/internal/operate/replay"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

type replayVerb struct {
	Stream string `required:"" help:"Stream whose archive is replayed."`
	From   moment `required:"" help:"Start of the period to replay."`
	To     moment `required:"" help:"End of the period to replay."`
	Into   string `required:"" help:"Stream that receives the records."`
	By     string `enum:"auto,lines,line,member,object" default:"auto" help:"Part of an object that becomes a record: whole lines up to the limit of the tap, a single line, a gzip member, or the whole object. auto means lines for a stream of format lines and member for a raw stream, as defined in streams.json. With line the order of the lines is lost, and a body of several lines is torn apart."`
	Force  bool   `help:"Allow a stream to be replayed into itself, which archives its records again."`
	Again  bool   `help:"Replay also the objects that were replayed before. After an interrupt the same command continues."`
	DryRun bool   `help:"List the objects without replaying them."`
	State  string `help:"File that holds the progress. Defaults to a file for the two streams in the user's cache folder."`
	JSON   bool   `name:"json" group:"output" help:"Print the final count as JSON."`
	progress
	poster
	streamsFile
}

// Help shows with datasink replay --help.
func (*replayVerb) Help() string {
	return `The command reads all objects of the hours in the period, both those of Firehose and
direct records, and posts their records to another stream.

By default a record of a stream of format lines is as many whole lines as the tap takes
in one record, so a body of several lines, such as indented JSON, stays in one piece
with its neighbours. A gzip member is posted with its Content-Encoding: a stream of
format lines stores it decompressed.

An object that was replayed gets a marker under _replayed/ in the archive bucket. It is
not replayed into the same stream again, by anyone, unless --again is given. After
an interrupt (Ctrl-C) the command finishes the requests in flight; the same command
continues there and retries the records that the API refused. If a replay is killed,
its last records may arrive twice.

Times are in UTC: 2026-11-22T23:05, 2026-11-22T10, a date, now, or a duration before now
such as 90m or 2d.

Examples:

  datasink replay --stream orders --from 2026-11-20 --to 2026-11-22 --into orders-test
  datasink replay --stream legacy --by object --from 2d --to now --into legacy-copy
  datasink replay --stream orders --from 1h --to now --into orders --force --dry-run`
}

// replayed is the result of a replay.
type replayed struct {
	Objects int   `json:"objects"`
	Sent    int   `json:"sent"`
	Bytes   int64 `json:"bytes"`
	Refused int   `json:"refused"`
	// Before is the number of objects that were skipped, as they were replayed before.
	Before int  `json:"replayedBefore,omitempty"`
	DryRun bool `json:"dryRun,omitempty"`
}

// gzipOver is the size in bytes above which a record for a lines stream is
// compressed in the request.
const gzipOver = 256 << 10

// Run replays.
func (v *replayVerb) Run(ctx context.Context, c console) error {
	r := &replay.Replayer{Concurrency: v.Concurrency, Into: v.Into}
	if err := v.setForms(r); err != nil {
		return err
	}
	t, client, err := v.findToPost(ctx, c, v.DryRun)
	if err != nil {
		return err
	}
	archive, err := t.Archive(ctx)
	if err != nil {
		return err
	}
	var all []bucket.Object
	for o, err := range archive.Hours(ctx, v.Stream+"/", v.From.Time, v.To.Time) {
		if err != nil {
			return err
		}
		all = append(all, o)
	}
	if v.DryRun {
		return v.list(c, all)
	}
	before, err := replay.Replayed(ctx, archive.Bucket, v.Stream, v.Into, v.From.Time, v.To.Time)
	if err != nil {
		return err
	}
	state, err := openTask(v.State, v.Again, "replay", archive.Name(), v.Stream, v.Into, string(r.By))
	if err != nil {
		return err
	}
	n, b := replayed{}, v.bar(c, "replay", int64(len(all)), false)
	r.Objects, r.Store, r.Client, r.State = archive.Bucket, archive.Store, client, state.State
	r.Done = func(body []byte, err error) {
		if err != nil {
			if n.Refused++; n.Refused <= shownFailures && !endsTask(err) {
				b.print(c.err, "datasink: %v", err)
			}
			return
		}
		n.Sent++
		n.Bytes += int64(len(body))
		b.say(counted(n.Sent, "record"))
	}
	for _, o := range all {
		if state.IsFinished(o.Key) || before[o.Key] && !v.Again {
			n.Before++
		} else if _, err = r.Object(ctx, o); err != nil {
			break
		} else {
			n.Objects++
		}
		b.add(1)
	}
	b.end()
	err = errors.Join(err, state.close(err == nil && n.Refused == 0))
	return v.finish(c, n, err)
}

// setForms checks the arguments, and sets the fields of a Replayer that depend on the
// two streams.
func (v *replayVerb) setForms(r *replay.Replayer) error {
	if err := errors.Join(checkStream(v.Stream), checkStream(v.Into)); err != nil {
		return err
	}
	if v.Into == v.Stream && !v.Force {
		return usage("replaying %s into itself archives its records again: use --force to do that", v.Stream)
	}
	if !v.From.Before(v.To.Time) {
		return usage("--from: want a time before --to")
	}
	into, known, err := v.streamsFile.stream(v.Into)
	if err != nil {
		return err
	}
	if known && into.Format == stream.Lines {
		r.GzipOver = gzipOver
	}
	from, known, err := v.streamsFile.stream(v.Stream)
	if err != nil {
		return err
	}
	r.HoldsGzip = from.HoldsGzip()
	switch {
	case v.By != "auto":
		r.By = replay.By(v.By)
	case !known:
		return usage("%s has no stream %s: set --by, or set --streams to the file of the deployment", v.Streams, v.Stream)
	case from.Format == stream.Raw:
		r.By = replay.Member
	default:
		r.By = replay.Lines
	}
	return nil
}

func (v *replayVerb) list(c console, all []bucket.Object) error {
	n := replayed{DryRun: true, Objects: len(all)}
	var rows [][]string
	for _, o := range all {
		n.Bytes += o.Size
		rows = append(rows, []string{o.WrittenAt.Format(time.DateTime), bytesText(o.Size), o.Key})
	}
	if v.JSON {
		return printJSON(c.out, n)
	}
	if err := printTable(c.out, []string{"WRITTEN (UTC)", "SIZE", "KEY"}, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.out, "would replay %s, %s as stored\n", counted(n.Objects, "object"), bytesText(n.Bytes))
	return err
}

func (v *replayVerb) finish(c console, n replayed, err error) error {
	if v.JSON {
		if printed := printJSON(c.out, n); printed != nil {
			return printed
		}
	} else {
		fmt.Fprintf(c.out, "replayed %s, %s, of %s into %s; %d not accepted\n", counted(n.Sent, "record"), bytesText(n.Bytes), counted(n.Objects, "object"), v.Into, n.Refused)
		if n.Before > 0 {
			fmt.Fprintf(c.out, "skipped %s that were replayed before; --again replays them\n", counted(n.Before, "object"))
		}
	}
	var refusal *post.Refusal
	if errors.As(err, &refusal) && refusal.Code == "unknown_stream" {
		err = fmt.Errorf("the deployment has no stream %s that accepts records, so add it to streams.json and deploy: %w", v.Into, err)
	}
	return resentError(c, n.Sent, n.Refused, err)
}
