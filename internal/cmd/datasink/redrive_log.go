package main

import (
	"context"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/operate/deployment"
	"github.com/data-sink/data-sink/internal/operate/failed"
	"github.com/data-sink/data-sink/internal/operate/verify"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
)

// deliveredByLog returns a function that reports whether the bridge's log shows
// that a record of a discarded batch was sent to Firehose. The function reads the
// log of a stream when it is first needed.
func deliveredByLog(t deployment.Target, all []failed.Object) func(context.Context, failed.Object, failed.Record) (bool, error) {
	logs := make(map[string]*verify.Sent)
	return func(ctx context.Context, o failed.Object, r failed.Record) (bool, error) {
		sent := logs[o.Stream]
		if sent == nil {
			lines, err := logOf(ctx, t, o.Stream, all, r.ReceivedAt)
			if err != nil {
				return false, err
			}
			sent = verify.NewSent(lines)
			logs[o.Stream] = sent
		}
		shard, sequence, _ := strings.Cut(r.ID, ":")
		return sent.Has(shard, sequence), nil
	}
}

// longestRetry is the longest time for which an event source mapping retries a batch.
const longestRetry = 7 * 24 * time.Hour

// logOf reads the bridge's log of a stream for the period in which the mapping
// tried the batches of the given objects.
func logOf(ctx context.Context, t deployment.Target, streamName string, all []failed.Object, received time.Time) ([]pack.Line, error) {
	from, to := received, received
	for _, o := range all {
		if o.Stage != failed.StageLambda || o.Stream != streamName {
			continue
		}
		if o.WrittenAt.After(to) {
			to = o.WrittenAt
		}
		if tried := o.WrittenAt.Add(-longestRetry); len(all) > 1 && tried.Before(from) {
			from = tried // its records, which have the exact time, are not read yet
		}
	}
	var lines []pack.Line
	err := t.Packed(ctx, streamName, from.Add(-time.Minute), to.Add(time.Minute), func(p pack.Line) error {
		lines = append(lines, p)
		return nil
	})
	return lines, err
}
