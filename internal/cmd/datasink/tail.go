package main

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/data-sink/data-sink/internal/operate/tap"
)

type tailVerb struct {
	Stream string `arg:"" help:"Stream to read."`
	Since  moment `help:"Begin with the records that arrived at this time; default now."`
	Until  moment `help:"End with the records that arrived before this time; default never."`
	Limit  int    `help:"End after so many records."`
	JSON   bool   `name:"json" group:"output" help:"Print each record as a JSON object on a line: shard, sequence, partitionKey, arrivedAt, and body or (when it is no UTF-8) bodyBase64."`
	connection
}

// Help shows with datasink tail --help.
func (*tailVerb) Help() string {
	return `It reads the stream's tap and prints each body as it passes, with a newline where
it has none. On a terminal a body that is no text is named instead.

Every reader of a stream shares its shards' two megabytes and five reads a second
with the bridge: on a busy stream, end it when it is not needed. Records that
were written straight to the archive are not on the tap.

Times are in UTC: 2026-11-22T23:05, or a date, or how long ago, as in 90m or 2d.

Examples:

  datasink tail orders
  datasink tail orders --since 15m
  datasink tail orders --since 1h --until now --json | jq .body`
}

// tapLine is a record for --json.
type tapLine struct {
	Shard        string    `json:"shard"`
	Sequence     string    `json:"sequence"`
	PartitionKey string    `json:"partitionKey"`
	ArrivedAt    time.Time `json:"arrivedAt"`
	Body         *string   `json:"body,omitempty"`
	BodyBase64   []byte    `json:"bodyBase64,omitempty"`
}

// Run prints records until an interrupt, or what its flags say.
func (v *tailVerb) Run(ctx context.Context, c console) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	t, err := v.find(ctx, c)
	if err != nil {
		return err
	}
	print, n := v.printer(c), 0
	err = t.Tap(ctx, v.Stream, tap.Window{From: v.Since.Time, Until: v.Until.Time}, func(r tap.Record) error {
		if err := print(r); err != nil {
			return err
		}
		if n++; n == v.Limit {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) || errors.Is(err, context.Canceled) {
		return nil // an interrupt is how it ends
	}
	return err
}

func (v *tailVerb) printer(c console) func(tap.Record) error {
	if v.JSON {
		return func(r tap.Record) error {
			l := tapLine{Shard: r.Shard, Sequence: r.Sequence, PartitionKey: r.PartitionKey, ArrivedAt: r.ArrivedAt, BodyBase64: r.Body}
			if utf8.Valid(r.Body) {
				text := string(r.Body)
				l.Body, l.BodyBase64 = &text, nil
			}
			return printLine(c.out, l)
		}
	}
	terminal := isTerminal(c.out)
	return func(r tap.Record) error {
		body := r.Body
		if terminal && !isText(body) {
			body = fmt.Appendf(nil, "(%d bytes, no text)", len(body))
		}
		if len(body) == 0 || body[len(body)-1] != '\n' {
			body = append(body, '\n')
		}
		_, err := c.out.Write(body)
		return err
	}
}
