package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/operate/deployment"
	"github.com/data-sink/data-sink/internal/pipeline/backoff"
)

type logsVerb struct {
	Function string        `arg:"" optional:"" enum:"all,ingest,drainer,bridge" default:"all" help:"ingest, drainer, bridge or all."`
	Stream   string        `help:"Only lines about this stream."`
	Since    moment        `default:"15m" help:"Start of the period."`
	Follow   bool          `short:"f" help:"Print new lines until an interrupt."`
	Interval time.Duration `default:"3s" help:"Time between two reads with --follow."`
	JSON     bool          `name:"json" group:"output" help:"Print the lines as they were logged, with metrics and the lines of the Lambda platform."`
	connection
}

// Help shows with datasink logs --help.
func (*logsVerb) Help() string {
	return `The command prints the log of the functions, oldest line first: the time in UTC, the
function, the level, the event and its attributes. Functions log what went wrong; normal
operation logs little. CloudWatch has a line a few seconds after it was logged.

Times are in UTC: 2026-11-22T23:05, 2026-11-22T10, a date, now, or a duration before now
such as 90m or 2d.

Examples:

  datasink logs
  datasink logs ingest --stream orders --since 2h
  datasink logs --follow
  datasink logs drainer --json | jq 'select(.level == "ERROR")'`
}

// Validate checks the flags. Kong calls it.
func (v *logsVerb) Validate() error {
	if v.Interval < 100*time.Millisecond {
		return fmt.Errorf("--interval=%v: want 100ms or more", v.Interval)
	}
	return checkStream(v.Stream)
}

// Run prints the lines.
func (v *logsVerb) Run(ctx context.Context, c console) error {
	t, err := v.find(ctx, c, toRead)
	if err != nil {
		return err
	}
	seen := make(map[string]time.Time)
	for from := v.Since.Time; ; {
		now := time.Now()
		lines, err := v.read(ctx, t, from, now.Add(time.Minute))
		if err != nil {
			return endOfWatch(err, v.Follow)
		}
		for _, l := range lines {
			if _, printed := seen[l.key()]; printed {
				continue
			}
			seen[l.key()] = l.at
			if err := v.print(c, l); err != nil {
				return err
			}
		}
		if !v.Follow {
			if len(seen) == 0 {
				fmt.Fprintf(c.err, "datasink: no lines since %s UTC\n", v.Since.Format(time.DateTime))
			}
			return nil
		}
		if !backoff.Sleep(ctx, v.Interval) {
			return endOfWatch(context.Cause(ctx), true)
		}
		// A line may arrive late. Older lines cannot come again.
		if late := now.Add(-lateness); late.After(from) {
			from = late
		}
		for key, at := range seen {
			if at.Before(from.Add(-forgotten)) {
				delete(seen, key)
			}
		}
	}
}

const (
	// lateness is the time in which a line may still arrive in the log.
	lateness = time.Minute
	// forgotten is longer than a read can reach back before its start.
	forgotten = 10 * time.Minute
)

// read returns the lines of all functions from one time to another, by their time.
func (v *logsVerb) read(ctx context.Context, t deployment.Target, from, to time.Time) ([]logLine, error) {
	functions := deployment.Functions
	if v.Function != "all" {
		functions = []string{v.Function}
	}
	var words []string
	if v.Stream != "" {
		words = []string{v.Stream}
	}
	var lines []logLine
	for _, function := range functions {
		err := t.Logs(ctx, function, words, from, to, func(text []byte) error {
			l := parseLog(function, text)
			if !l.at.Before(from) && l.at.Before(to) && (v.JSON || !l.isPlatform) && (v.Stream == "" || l.stream == v.Stream) {
				lines = append(lines, l)
			}
			return nil
		})
		if err != nil && (v.Function != "all" || !errors.Is(err, deployment.ErrNotDeployed)) {
			return nil, err
		}
	}
	slices.SortStableFunc(lines, func(a, b logLine) int { return a.at.Compare(b.at) })
	return lines, nil
}

func (v *logsVerb) print(c console, l logLine) error {
	text := l.text
	if !v.JSON {
		text = fmt.Sprintf("%s %-7s %-5s %s", l.at.UTC().Format("2006-01-02 15:04:05.000"), l.function, l.level, l.event)
		text = strings.TrimRight(text, " ") + l.attributes
	}
	_, err := fmt.Fprintln(c.out, text)
	return err
}

// logLine is a line of the log of a function.
type logLine struct {
	text, function, stream string
	at                     time.Time
	level, event           string
	// attributes are the other fields, each as " name=value".
	attributes string
	// isPlatform is set for a metric and for a line of the Lambda platform.
	isPlatform bool
}

func (l logLine) key() string { return l.function + " " + l.text }

// parseLog parses a line. A line that is not a JSON object becomes an event without a
// time, which counts as now.
func parseLog(function string, text []byte) logLine {
	l := logLine{text: string(text), function: function, at: time.Now(), event: string(text)}
	d := json.NewDecoder(strings.NewReader(l.text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return l
	}
	l.event = ""
	var attributes strings.Builder
	for d.More() {
		name, err := d.Token()
		if err != nil {
			break
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil && !errors.Is(err, io.EOF) {
			break
		}
		shown := string(value)
		var s string
		if json.Unmarshal(value, &s) == nil && s != "" && !strings.ContainsAny(s, " =\"\n") {
			shown = s
		}
		switch name {
		case "time", "timestamp":
			if at, err := time.Parse(time.RFC3339Nano, s); err == nil {
				l.at = at
			}
		case "level":
			l.level = s
		case "msg", "message":
			l.event = s
		case "function":
		case "_aws":
			l.isPlatform = true
		case "type":
			l.isPlatform = l.isPlatform || strings.HasPrefix(s, "platform.")
		case "stream":
			l.stream = s
			fallthrough
		default:
			fmt.Fprintf(&attributes, " %s=%s", name, shown)
		}
	}
	l.attributes = attributes.String()
	return l
}
