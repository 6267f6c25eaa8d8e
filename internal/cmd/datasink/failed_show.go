package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/failed"
)

type failedShowVerb struct {
	All  bool     `help:"Include objects whose records were all redriven or discarded."`
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
	_, bucket, err := v.findArchive(ctx, c, toRead)
	if err != nil {
		return err
	}
	var failing objectErrors
	objects := 0
	for o, err := range v.list(ctx, bucket.Bucket, v.Keys, skipDone(v.All)) {
		objects++
		if err == nil {
			err = v.show(ctx, c, bucket.Bucket, o)
		}
		if err == nil {
			continue
		}
		if err := failing.add(ctx, o, err); err != nil {
			return err
		}
	}
	if objects == 0 && !v.JSON {
		fmt.Fprintln(c.err, noDeadLetters)
	}
	return failing.report(c)
}

// show prints the records of one object.
func (v *failedShowVerb) show(ctx context.Context, c console, b *bucket.Bucket, o failed.Object) error {
	if !v.JSON {
		fmt.Fprintln(c.out, o.Key)
	}
	n := 0
	for r, err := range failed.Records(ctx, b, o) {
		if err != nil {
			return err
		}
		if err := v.print(c, o.Key, n, r); err != nil {
			return err
		}
		n++
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
