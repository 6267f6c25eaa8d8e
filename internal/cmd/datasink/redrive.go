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
	Keys   []string `arg:"" optional:"" help:"Keys of objects, as printed by ls. Defaults to all objects that the flags choose."`
	Into   string   `help:"Send all records to this stream instead of to their own streams."`
	Again  bool     `help:"Send also the records that were sent before."`
	DryRun bool     `help:"Count the records without sending them."`
	State  string   `help:"File that holds the progress within an object. Defaults to a file in the user's cache folder."`
	JSON   bool     `name:"json" group:"output" help:"Print the final count as JSON."`
	progress
	failedFilter
	poster
	connection
}

// Help shows with datasink failed redrive --help.
func (*failedRedriveVerb) Help() string {
	return `The records are posted unchanged, so fix the cause of the failure first. When the API
has accepted all records of an object, the command writes a marker beside the object,
with the same key and the suffix .redriven. From then on every redrive skips that
object. Records that the API refuses, and records that cannot be decoded, remain for
the next redrive.

After an interrupt (Ctrl-C) the command finishes the requests in flight, and the next
redrive continues there. If a redrive is killed, its last records may arrive twice.

A packed record of Firehose is sent as one record. Its bytes in the archive are the
same; on the tap it is one record instead of many. If the event source mapping
discarded a batch, the records that the bridge's log shows as delivered are skipped.

Examples:

  datasink failed redrive --stream orders --dry-run
  datasink failed redrive --stream orders --from 2d
  datasink failed redrive --into orders-new failed/drainer/orders/dt=2026-11-22/hour=23/….ndjson`
}

// redriven is the result of a redrive.
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
	b.say(counted(n.Sent, "record"))
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
		fmt.Fprintf(c.out, "%s %s, %s, of %s; %d not accepted\n", verb, counted(n.Sent, "record"), bytesText(n.Bytes), counted(n.Objects, "object"), n.Refused)
		for _, why := range []string{failed.SkippedBefore, failed.SkippedDelivered, failed.SkippedUndecodable, failed.SkippedEmpty} {
			if n.Skipped[why] > 0 {
				fmt.Fprintf(c.out, "skipped %d: %s\n", n.Skipped[why], why)
			}
		}
	}
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(c.err, "datasink: interrupted; the same command continues where it stopped")
		return exit(exitInterrupted)
	case err != nil:
		return err
	case n.Refused > 0:
		return fmt.Errorf("%d of %s not accepted", n.Refused, counted(n.Refused+n.Sent, "record"))
	}
	return nil
}

// statePath returns the file that holds the progress of a task: the value of the
// flag, or a file in the user's cache folder whose name depends on the task.
func statePath(flag, verb string, task ...string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a folder for the state (set --state): %w", err)
	}
	sum := sha256.New()
	for _, part := range task {
		fmt.Fprintf(sum, "%q", part)
	}
	return filepath.Join(cache, "datasink", verb+"-"+hex.EncodeToString(sum.Sum(nil)[:8])+".ndjson"), nil
}
