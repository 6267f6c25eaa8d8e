package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/data-sink/data-sink/internal/operate/deployment"
	"github.com/data-sink/data-sink/internal/operate/failed"
	"github.com/data-sink/data-sink/internal/operate/post"
	"github.com/data-sink/data-sink/internal/operate/resume"
)

type failedRedriveVerb struct {
	Keys   []string `arg:"" optional:"" help:"Keys of objects, as ls prints them; default all that the flags choose."`
	Into   string   `help:"Send all to this stream instead of each record to its own."`
	Again  bool     `help:"Send also what was sent before."`
	DryRun bool     `help:"Only count what would be sent."`
	State  string   `help:"File that keeps what is done until an object is; default one in the user's cache folder."`
	JSON   bool     `name:"json" group:"output" help:"Print the final count as JSON."`
	progress
	failedFilter
	poster
	connection
}

// Help shows with datasink failed redrive --help.
func (*failedRedriveVerb) Help() string {
	return `The records are posted as they were, so they need a stream that takes them: mend the
cause first. An object whose records were all accepted gets a marker beside it,
named like it and .redriven, and is passed over from then on, whoever redrives. What
was refused is left for the next time, and so is what cannot be decoded.

An interrupt (Ctrl-C) lets the requests under way finish; the next redrive goes on
there. Of a redrive that is killed, the last few records may arrive twice.

A packed record of Firehose is sent as one record: in the archive its bytes are the
same, on the tap it is one instead of many. Of a batch that the mapping gave up,
what the bridge's log shows as delivered is passed over.

Examples:

  datasink failed redrive --stream orders --dry-run
  datasink failed redrive --stream orders --from 2d
  datasink failed redrive --into orders-new failed/drainer/orders/dt=2026-11-22/hour=23/….ndjson`
}

// redriven is what became of the records of a redrive.
type redriven struct {
	Objects int            `json:"objects"`
	Sent    int            `json:"sent"`
	Bytes   int64          `json:"bytes"`
	Refused int            `json:"refused"`
	Skipped map[string]int `json:"skipped,omitempty"`
	DryRun  bool           `json:"dryRun,omitempty"`
}

// Run redrives objects.
func (v *failedRedriveVerb) Run(ctx context.Context, c console) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	t, client, err := v.open(ctx, c)
	if err != nil {
		return err
	}
	bucket, err := t.Archive(ctx)
	if err != nil {
		return err
	}
	var all []failed.Object
	for o, err := range v.list(ctx, bucket.Bucket, v.Keys, v.Again) {
		if err != nil {
			return err
		}
		all = append(all, o)
	}
	path, err := statePath(v.State, "redrive", bucket.Name(), v.Into)
	if err != nil {
		return err
	}
	state, err := resume.Open(path, fmt.Sprintf("redrive of %s into %q", bucket.Name(), v.Into))
	if err != nil {
		return err
	}
	b := v.bar(c, "redrive", int64(len(all)), false)
	n := redriven{Skipped: make(map[string]int), DryRun: v.DryRun}
	r := &failed.Redriver{
		Objects: bucket.Bucket, Store: bucket.Store, Client: client, Concurrency: v.Concurrency, State: state, Into: v.Into, Again: v.Again,
		DryRun: v.DryRun, Delivered: deliveredByLog(t, all),
		Done: func(record failed.Record, result failed.Result) { n.note(c, b, record, result) },
	}
	for _, o := range all {
		if err = r.Redrive(ctx, o); err != nil {
			err = fmt.Errorf("redriving %s: %w", o.Key, err)
			break
		}
		n.Objects++
		b.add(1)
	}
	b.end()
	if closed := state.Close(); closed != nil {
		err = errors.Join(err, closed)
	}
	return v.finish(c, n, err)
}

func (v *failedRedriveVerb) open(ctx context.Context, c console) (deployment.Target, *post.Client, error) {
	if v.DryRun {
		t, err := v.find(ctx, c)
		return t, nil, err
	}
	return v.findToPost(ctx, c, &v.connection)
}

func (n *redriven) note(c console, b *bar, record failed.Record, result failed.Result) {
	switch {
	case result.Skipped != "":
		n.Skipped[result.Skipped]++
	case result.Err != nil:
		if n.Refused++; n.Refused <= shownFailures {
			b.print(c.err, "datasink: %s of %s: %v", record.ID, record.Stream, result.Err)
		}
	default:
		n.Sent++
		n.Bytes += int64(len(record.Body))
	}
	b.say(fmt.Sprintf("%d records", n.Sent))
}

func (v *failedRedriveVerb) finish(c console, n redriven, err error) error {
	if v.JSON {
		if printed := printJSON(c.out, n); printed != nil {
			return printed
		}
	} else {
		verb := "sent"
		if n.DryRun {
			verb = "would send"
		}
		fmt.Fprintf(c.out, "%s %d records, %s, of %d objects; %d not accepted\n", verb, n.Sent, bytesText(n.Bytes), n.Objects, n.Refused)
		for _, why := range []string{failed.SkippedBefore, failed.SkippedDelivered, failed.SkippedUndecodable, failed.SkippedEmpty} {
			if n.Skipped[why] > 0 {
				fmt.Fprintf(c.out, "passed over %d: %s\n", n.Skipped[why], why)
			}
		}
	}
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(c.err, "datasink: interrupted; the same command goes on where it was")
		return exit(exitInterrupted)
	case err != nil:
		return err
	case n.Refused > 0:
		return fmt.Errorf("%d of %d records were not accepted", n.Refused, n.Refused+n.Sent)
	}
	return nil
}

// statePath is the file that keeps how far a task has come: the one of the flag,
// or one of the task's own in the user's cache folder.
func statePath(flag, verb string, task ...string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a place for the state, see --state: %w", err)
	}
	sum := sha256.New()
	for _, part := range task {
		fmt.Fprintf(sum, "%q", part)
	}
	return filepath.Join(cache, "datasink", verb+"-"+hex.EncodeToString(sum.Sum(nil)[:8])+".ndjson"), nil
}
