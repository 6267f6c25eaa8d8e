package main

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/failed"
)

// failedVerbs are the verbs of datasink failed.
type failedVerbs struct {
	Ls      failedLsVerb      `cmd:"" help:"List the objects that hold dead letters."`
	Show    failedShowVerb    `cmd:"" help:"Show dead letters and why they could not be delivered."`
	Redrive failedRedriveVerb `cmd:"" help:"Send dead letters through the API again."`
}

// failedFilter holds the flags that choose objects.
type failedFilter struct {
	Stream string `help:"Only objects of this stream."`
	From   moment `help:"Only objects written at this time or later."`
	To     moment `help:"Only objects written before this time."`
}

// list yields the objects that the flags choose, or only those with the given keys.
// Objects whose records were all redriven are skipped, unless all is set or their
// key is given.
func (f *failedFilter) list(ctx context.Context, b *bucket.Bucket, keys []string, all bool) iter.Seq2[failed.Object, error] {
	wanted := make(map[string]bool)
	for _, key := range keys {
		wanted[key] = true
	}
	return func(yield func(failed.Object, error) bool) {
		for o, err := range failed.List(ctx, b, failed.Filter{Stream: f.Stream, From: f.From.Time, To: f.To.Time}) {
			if err != nil {
				yield(o, err)
				return
			}
			done := o.Marker != nil && len(o.Marker.Left) == 0
			if len(wanted) > 0 && !wanted[o.Key] || done && !all && !wanted[o.Key] {
				continue
			}
			delete(wanted, o.Key)
			if !yield(o, nil) {
				return
			}
			if len(keys) > 0 && len(wanted) == 0 {
				return
			}
		}
		for key := range wanted {
			if !yield(failed.Object{}, fmt.Errorf("%s: %w among the dead letters", key, bucket.ErrNotFound)) {
				return
			}
		}
	}
}

type failedLsVerb struct {
	All  bool `help:"Include objects whose records were all redriven."`
	JSON bool `name:"json" group:"output" help:"Print a JSON array with an element for each object."`
	failedFilter
	connection
}

// Help shows with datasink failed ls --help.
func (*failedLsVerb) Help() string {
	return `Dead letters are objects in the archive bucket. The drainer writes them under
failed/drainer/, the bridge under failed/bridge/, Firehose under failed/firehose/,
and the event source mapping of the bridge under aws/lambda/.

Examples:

  datasink failed ls
  datasink failed ls --stream orders --from 2d
  datasink failed ls --json | jq -r '.[].key'`
}

// failedObject is the JSON form of an object.
type failedObject struct {
	Key       string         `json:"key"`
	Stage     string         `json:"stage"`
	Stream    string         `json:"stream"`
	WrittenAt time.Time      `json:"writtenAt"`
	Bytes     int64          `json:"bytes"`
	Redriven  *failed.Marker `json:"redriven,omitempty"`
}

// Run lists objects.
func (v *failedLsVerb) Run(ctx context.Context, c console) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	t, err := v.find(ctx, c)
	if err != nil {
		return err
	}
	bucket, err := t.Archive(ctx)
	if err != nil {
		return err
	}
	list := []failedObject{}
	var rows [][]string
	for o, err := range v.list(ctx, bucket.Bucket, nil, v.All) {
		if err != nil {
			return err
		}
		list = append(list, failedObject{o.Key, o.Stage, o.Stream, o.WrittenAt, o.Size, o.Marker})
		redriven := "-"
		if o.Marker != nil {
			redriven = counted(o.Marker.Records, "record")
			if n := len(o.Marker.Left); n > 0 {
				redriven += fmt.Sprintf(", %d left", n)
			}
		}
		rows = append(rows, []string{o.WrittenAt.Format(time.DateTime), o.Stage, o.Stream, bytesText(o.Size), redriven, o.Key})
	}
	if v.JSON {
		return printJSON(c.out, list)
	}
	return printTable(c.out, []string{"WRITTEN (UTC)", "STAGE", "STREAM", "SIZE", "REDRIVEN", "KEY"}, rows)
}

type failedShowVerb struct {
	All  bool     `help:"Include objects whose records were all redriven."`
	Keys []string `arg:"" optional:"" help:"Keys of objects, as printed by ls. Defaults to all objects that the flags choose."`
	JSON bool     `name:"json" group:"output" help:"Print each record as a JSON object on one line, with the complete body in base64."`
	failedFilter
	connection
}

// Help shows with datasink failed show --help.
func (*failedShowVerb) Help() string {
	return `Long bodies are truncated; --json prints them completely. A dead letter of Firehose
is a packed record: the concatenation of one or more bodies.

Examples:

  datasink failed show --stream orders
  datasink failed show --json failed/drainer/orders/dt=2026-11-22/hour=23/….ndjson | jq -r .body | base64 -d`
}

// shownBody is the maximum number of bytes of a body that are printed.
const shownBody = 200

// Run shows records.
func (v *failedShowVerb) Run(ctx context.Context, c console) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	t, err := v.find(ctx, c)
	if err != nil {
		return err
	}
	bucket, err := t.Archive(ctx)
	if err != nil {
		return err
	}
	for o, err := range v.list(ctx, bucket.Bucket, v.Keys, v.All) {
		if err != nil {
			return err
		}
		if !v.JSON {
			fmt.Fprintln(c.out, o.Key)
		}
		n := 0
		for r, err := range failed.Records(ctx, bucket.Bucket, o) {
			if err != nil {
				return err
			}
			if err := v.print(c, o.Key, n, r); err != nil {
				return err
			}
			n++
		}
	}
	return nil
}

func (v *failedShowVerb) print(c console, key string, position int, r failed.Record) error {
	if v.JSON {
		return printLine(c.out, struct {
			Key      string `json:"key"`
			Position int    `json:"position"`
			failed.Record
		}{key, position, r})
	}
	lines := []string{fmt.Sprintf("  %d  %s", position, textOf([]byte(r.Reason), shownBody))}
	for _, field := range []struct{ name, value string }{
		{"failed", timeText(r.FailedAt)},
		{"received", timeText(r.ReceivedAt)},
		{"id", r.ID},
		{"key", r.PartitionKey},
		{"body", textOf(r.Body, shownBody)},
		{"envelope", textOf(r.Envelope, shownBody)},
	} {
		if field.value != "" {
			lines = append(lines, fmt.Sprintf("     %-9s %s", field.name, field.value))
		}
	}
	_, err := fmt.Fprintln(c.out, strings.Join(lines, "\n"))
	return err
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05.000")
}
