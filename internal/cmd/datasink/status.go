package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/backoff"
)

type statusVerb struct {
	Interval time.Duration `default:"2s" help:"Time between the two inspections from which the rates are computed."`
	Watch    bool          `short:"w" help:"Print a new table after each interval, until an interrupt."`
	JSON     bool          `name:"json" group:"output" help:"Print a JSON array with an object for each stream; with --watch one array for each interval."`
	connection
	streamsFile
}

// Help shows with datasink status --help.
func (*statusVerb) Help() string {
	return `The command prints a row for each stream, and the totals:

  QUEUED       records in the queue
  OLDEST       age of the oldest record in the queue and in claims
  IN/S, OUT/S  records accepted and forwarded a second
  CLAIMED      records in claims of drainers, and the number of claims
  BRIDGE       how far the bridge is behind the tap; 0s if it has read all records; a
               dash if the stream has no tap
  FIREHOSE     age of the oldest record in the Firehose
  DIRECT       direct records of the last hour, by objects: they are not on the tap
  DEAD         dead letters that were not redriven: records under failed/ and aws/lambda/
  LAST OBJECT  age of the newest object of the archive

A dash means that there is none. A question mark means that the value is unknown,
because a part of the deployment does not answer. A line below the table says which
part that is and what happens meanwhile, and the exit code is 1.

On AWS, BRIDGE and FIREHOSE are the newest data points in CloudWatch of the last 15
minutes (GetRecords.IteratorAgeMilliseconds, which includes other readers of the tap,
and DeliveryToS3.DataFreshness). A question mark without a line below the table means
that there is no data point: nothing reads the tap, or the Firehose delivers nothing.
A Firehose delivers nothing if it is empty, and also if it cannot write at all.
CloudWatch is read at most once a minute, because it charges for each metric. If it does
not answer, the exit code is still 0, because no record passes through it.

For each stream whose tap is ending, a line below the table says whether the tap is
empty: the bridge has read all of its records, and in the newest minute that CloudWatch
knows none arrived.

A count of dead letters with a plus sign is a lower bound: only the first objects were
read, or an object or its marker cannot be read.

A retired stream, and a stream whose tap is off or ending, is marked behind its name. An
asterisk marks a stream that is not in the streams.json of the deployment but has
records in Redis or dead letters. If the drainer does not answer, the streams are
those of the archive and of --streams.

Examples:

  datasink status
  datasink status --watch --interval 5s
  datasink status --json | jq '.[] | select(.queued > 1000)'`
}

// Run prints the table once, or repeatedly with --watch.
func (v *statusVerb) Run(ctx context.Context, c console) error {
	if v.Interval < 100*time.Millisecond {
		return usage("--interval=%v: want 100ms or more", v.Interval)
	}
	t, err := v.find(ctx, c, toRead)
	if err != nil {
		return err
	}
	known, err := v.streamsFile.names()
	if err != nil {
		return err
	}
	reader := statusReader{target: t, known: known, counts: make(map[string]int)}
	before := reader.inspect(ctx)
	for {
		if !backoff.Sleep(ctx, v.Interval) {
			return endOfWatch(context.Cause(ctx), v.Watch)
		}
		now := reader.inspect(ctx)
		archived := reader.readArchive(ctx, now)
		behind := reader.readLags(ctx, now, archived)
		if err := context.Cause(ctx); err != nil {
			return endOfWatch(err, v.Watch)
		}
		rows := statusOf(before, now, archived, behind)
		below := slices.Concat(problemsOf(t.Describe(), now, archived, behind), lossesOf(now), tapsOf(rows))
		if err := v.print(c, rows, below, now.at); err != nil {
			return err
		}
		if !v.Watch {
			if now.err != nil || archived.err != nil || len(now.unreadable) > 0 {
				return exit(exitFailed)
			}
			return nil
		}
		before = now
	}
}

// endOfWatch returns nil for an interrupt of --watch, which is its usual end.
func endOfWatch(err error, watch bool) error {
	if watch && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// print writes the rows and the problems. With --json the problems go to c.err.
func (v *statusVerb) print(c console, rows []streamStatus, problems []string, now time.Time) error {
	if v.JSON {
		for _, p := range problems {
			fmt.Fprintln(c.err, "datasink: "+p)
		}
		return printJSON(c.out, rows)
	}
	table := make([][]string, 0, len(rows)+1)
	for _, r := range append(rows, totalOf(rows)) {
		table = append(table, r.cells(now))
	}
	if v.Watch && isTerminal(c.out) {
		fmt.Fprint(rawWriter(c.out), "\x1b[H\x1b[2J") // clears the screen
	}
	if v.Watch {
		fmt.Fprintln(c.out, now.UTC().Format(time.DateTime)+" UTC")
	}
	err := printTable(c.out, []string{"STREAM", "QUEUED", "OLDEST", "IN/S", "OUT/S", "CLAIMED", "BRIDGE", "FIREHOSE", "DIRECT", "DEAD", "LAST OBJECT"}, table)
	for _, p := range problems {
		fmt.Fprintln(c.out, p)
	}
	return err
}
