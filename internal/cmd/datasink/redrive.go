package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/data-sink/data-sink/internal/operate/failed"
	"github.com/data-sink/data-sink/internal/operate/post"
)

type failedRedriveVerb struct {
	Keys   []string `arg:"" optional:"" help:"Keys of objects, as printed by ls. Defaults to all objects that the flags choose."`
	Into   string   `help:"Send all records to this stream instead of to their own streams."`
	Again  bool     `help:"Send also the records that were sent before. After an interrupt the same command continues."`
	DryRun bool     `help:"Count the records without sending them."`
	State  string   `help:"File that holds the progress within an object. Defaults to a file in the user's cache folder."`
	JSON   bool     `name:"json" group:"output" help:"Print the final count as JSON."`
	progress
	failedFilter
	poster
}

// Validate checks the flags of both embedded structs. Kong calls it.
func (v *failedRedriveVerb) Validate() error {
	return errors.Join(v.failedFilter.Validate(), v.poster.Validate())
}

// Help shows with datasink failed redrive --help.
func (*failedRedriveVerb) Help() string {
	return `The records are posted unchanged, so fix the cause of the failure first. When the API
has accepted all records of an object, the command writes a marker under _redriven/ in
the archive bucket. From then on every redrive into the same streams skips that object.
Records that the API refuses remain for the next redrive.
Records that cannot be decoded remain until they are discarded.

If an object fails, the command continues with the next object, reports the error at
the end, and exits with 1.

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
	Failed  int            `json:"failed,omitempty"` // objects
	Skipped map[string]int `json:"skipped,omitempty"`
	DryRun  bool           `json:"dryRun,omitempty"`
}

// Run redrives objects.
func (v *failedRedriveVerb) Run(ctx context.Context, c console) error {
	t, client, err := v.findToPost(ctx, c, v.DryRun)
	if err != nil {
		return err
	}
	bucket, err := t.Archive(ctx)
	if err != nil {
		return err
	}
	var all []failed.Object
	var failing objectErrors
	skip := func(o failed.Object) bool { return !v.Again && o.Marker.IsDoneInto(v.Into) }
	for o, err := range v.list(ctx, bucket.Bucket, v.Keys, skip) {
		if err != nil {
			if err := failing.add(ctx, o, err); err != nil {
				return err
			}
			continue
		}
		all = append(all, o)
	}
	state, err := openTask(v.State, v.Again, "redrive", bucket.Name(), v.Into)
	if err != nil {
		return err
	}
	b := v.bar(c, "redrive", int64(len(all)), false)
	n := redriven{Skipped: make(map[string]int), DryRun: v.DryRun}
	r := &failed.Redriver{
		Objects: bucket.Bucket, Store: bucket.Store, Client: client, Concurrency: v.Concurrency, State: state.State, Into: v.Into, Again: v.Again,
		DryRun: v.DryRun, Delivered: deliveredByLog(t, all),
		Done: func(record failed.Record, result failed.Result) { n.note(c, b, record, result) },
	}
	for _, o := range all {
		if err = r.Redrive(ctx, o); err != nil {
			err = fmt.Errorf("redriving %s: %w", o.Key, err)
			if isOfAll(err) {
				break
			}
			if err = failing.add(ctx, o, err); err != nil {
				break
			}
			continue
		}
		n.Objects++
		b.add(1)
	}
	b.end()
	n.Failed = len(failing)
	err = errors.Join(err, state.close(err == nil && n.Failed == 0 && n.Refused == 0))
	return v.finish(c, n, errors.Join(err, failing.report(c)))
}

// isOfAll reports whether an error concerns every other object too.
func isOfAll(err error) bool {
	var refusal *post.Refusal
	return errors.As(err, &refusal) && refusal.Status == http.StatusUnauthorized
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
		for _, why := range []string{failed.SkippedBefore, failed.SkippedDelivered, failed.SkippedUndecodable, failed.SkippedEmpty, failed.SkippedDiscarded} {
			if n.Skipped[why] > 0 {
				fmt.Fprintf(c.out, "skipped %d: %s\n", n.Skipped[why], why)
			}
		}
	}
	return resentError(c, n.Sent, n.Refused, err)
}
