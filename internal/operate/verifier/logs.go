package verifier

import (
	"context"
	"fmt"
	"time"

	"github.com/data-sink/data-sink/internal/operate/verify"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
)

// logs are the lines of the functions' logs, by stream.
type logs struct {
	packed map[string][]pack.Line
	direct map[string][]archive.Line
}

// readLogs reads the logs of the drainer, the bridge and ingest for a period, once for all
// streams, because CloudWatch Logs allows only a few calls a second. A malformed
// line is a problem, but does not hide other lines.
func (w *work) readLogs(ctx context.Context, from, to time.Time) (logs, error) {
	lines := logs{packed: make(map[string][]pack.Line), direct: make(map[string][]archive.Line)}
	begin, end := verify.LogTime(from, to)
	err := w.config.PackedLines(ctx, begin, end, func(line []byte) error {
		p, ok, err := pack.ParseLine(line)
		w.noteMalformed(ctx, logMalformed, err)
		if ok && isBetween(p.LoggedAt, begin, end) {
			lines.packed[p.Stream] = append(lines.packed[p.Stream], p)
		}
		return nil
	})
	if err != nil {
		return logs{}, fmt.Errorf("reading the log of packed records: %w", err)
	}
	begin, end = verify.DirectLogTime(from, to)
	err = w.config.DirectLines(ctx, begin, end, func(line []byte) error {
		d, ok, err := archive.ParseLine(line)
		w.noteMalformed(ctx, logDirect, err)
		if ok && isBetween(d.LoggedAt, begin, end) {
			lines.direct[d.Stream] = append(lines.direct[d.Stream], d)
		}
		return nil
	})
	if err != nil {
		return logs{}, fmt.Errorf("reading ingest's log: %w", err)
	}
	return lines, nil
}

// noteMalformed makes the first malformed line of a kind a problem of the run.
func (w *work) noteMalformed(ctx context.Context, message string, err error) {
	if err == nil || w.malformed[message] {
		return
	}
	w.malformed[message] = true
	w.config.Log.ErrorContext(ctx, message, "error", err)
	w.problems = append(w.problems, err)
}

func isBetween(t, from, to time.Time) bool { return !t.Before(from) && t.Before(to) }

// each returns a function that calls its last argument with every line.
func each[T any](lines []T) func(context.Context, time.Time, time.Time, func(T) error) error {
	return func(_ context.Context, _, _ time.Time, each func(T) error) error {
		for _, l := range lines {
			if err := each(l); err != nil {
				return err
			}
		}
		return nil
	}
}
