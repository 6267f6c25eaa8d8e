package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/data-sink/data-sink/internal/operate/deployment"
	"github.com/data-sink/data-sink/internal/operate/tap"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

type tailVerb struct {
	Stream       string   `arg:"" complete:"stream" help:"Stream to read."`
	Since        moment   `help:"Start with records that arrived at this time or later. Defaults to now."`
	Until        moment   `help:"Stop at records that arrived at this time or later. Defaults to never."`
	FromPosition []string `placeholder:"SHARD:SEQUENCE" help:"Continue after this record of a shard, as in the fields shard and sequence of --json; once for each shard. Shards without a position start at --since, or at their oldest record."`
	Limit        int      `help:"Stop after this number of records."`
	JSON         bool     `name:"json" group:"output" help:"Print each record as a JSON object on one line: shard, sequence, partitionKey, arrivedAt, and body, or bodyBase64 if the body is not UTF-8."`
	connection
}

// Help shows with datasink tail --help.
func (*tailVerb) Help() string {
	return `The command reads the tap of the stream and prints each body. It adds a newline to a
body that does not end in one. On a terminal it prints the length of a binary body
instead of the body.

Every reader of a stream shares the limits of its shards, 2 MB and 5 reads a second
each, with the bridge. On a busy stream, stop the command when you do not need it.
Direct records (oversize, fallback, overflow) are not on the tap.

With --from-position an interrupted command continues: give it the last record of each
shard and the same --since. A shard that was split or merged is followed.

Times are in UTC: 2026-11-22T23:05, 2026-11-22T10, a date, now, or a duration before now
such as 90m or 2d.

Examples:

  datasink tail orders
  datasink tail orders --since 15m
  datasink tail orders --since 1h --until now --json | jq .body
  datasink tail orders --from-position shardId-000000000000:4900000000000000000000000000000000000000000000000000007`
}

// tapLine is the JSON form of a record.
type tapLine struct {
	Shard        string    `json:"shard"`
	Sequence     string    `json:"sequence"`
	PartitionKey string    `json:"partitionKey"`
	ArrivedAt    time.Time `json:"arrivedAt"`
	Body         *string   `json:"body,omitempty"`
	BodyBase64   []byte    `json:"bodyBase64,omitempty"`
}

// Validate checks the arguments. Kong calls it.
func (v *tailVerb) Validate() error {
	since := v.Since.Time
	if since.IsZero() {
		since = time.Now()
	}
	if !v.Until.IsZero() && !since.Before(v.Until.Time) {
		return errors.New("--until: want a time after --since, which is now by default")
	}
	if v.Limit < 0 {
		return fmt.Errorf("--limit=%d: want 0 or more", v.Limit)
	}
	if _, err := v.positions(); err != nil {
		return err
	}
	return checkStream(v.Stream)
}

// positions returns the sequence numbers of --from-position by shard.
func (v *tailVerb) positions() (map[string]string, error) {
	after := make(map[string]string)
	for _, position := range v.FromPosition {
		shard, sequence, _ := strings.Cut(position, ":")
		switch {
		case shard == "" || sequence == "" || strings.Trim(sequence, "0123456789") != "":
			return nil, fmt.Errorf("--from-position=%.100q: want a shard, a colon and a sequence number", position)
		case after[shard] != "":
			return nil, fmt.Errorf("--from-position: %.100q has two positions", shard)
		}
		after[shard] = sequence
	}
	return after, nil
}

// Run prints records until an interrupt, --until or --limit.
func (v *tailVerb) Run(ctx context.Context, c console) error {
	after, err := v.positions()
	if err != nil {
		return err
	}
	t, err := v.find(ctx, c, toRead)
	if err != nil {
		return err
	}
	if err := v.checkTap(ctx, c, t); err != nil {
		return err
	}
	print, n := v.printer(c), 0
	err = t.Tap(ctx, v.Stream, tap.Window{From: v.Since.Time, Until: v.Until.Time, After: after}, func(r tap.Record) error {
		if err := print(r); err != nil {
			return err
		}
		if n++; n == v.Limit {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) || errors.Is(err, context.Canceled) {
		return nil // an interrupt is the usual end
	}
	return err
}

// errNoTap is returned for a stream whose tap has nothing to read.
var errNoTap = errors.New("there is nothing to tail")

// checkTap returns an error if the deployment does not have the stream, if the stream has
// no tap, or if its tap is ending and --since does not ask for the records that are still
// on it. If the drainer does not answer, the tap is read.
func (v *tailVerb) checkTap(ctx context.Context, c console, t deployment.Target) error {
	inspection, err := t.Inspect(ctx)
	if err != nil {
		return context.Cause(ctx)
	}
	if names := inspection.Names(); !slices.Contains(names, v.Stream) {
		return unknownStream(v.Stream, names)
	}
	switch inspection.Taps[v.Stream] {
	case stream.TapOff:
		return fmt.Errorf(`%w: %s has "tap": false in streams.json, so that its records go to Firehose without a tap; read them in the archive`, errNoTap, v.Stream)
	case stream.TapEnding:
		if v.Since.IsZero() {
			return fmt.Errorf(`%w: %s has "tap": "ending" in streams.json, so that no new records arrive on its tap; use --since to read the records that are on it`, errNoTap, v.Stream)
		}
		fmt.Fprintf(c.err, "datasink: the tap of %s is ending: no new records arrive on it\n", v.Stream)
	}
	return nil
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
			body = fmt.Appendf(nil, "(%d bytes, binary)", len(body))
		}
		if len(body) == 0 || body[len(body)-1] != '\n' {
			body = append(body, '\n')
		}
		_, err := c.out.Write(body)
		return err
	}
}
