package bridge

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/deadline"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// retry sends one part after another, until a part is not settled, and returns the
// position of the first record that is not settled. If the probe of the head is
// due, retry also finds out whether the head is the cause.
func (a *attempt) retry(ctx context.Context, head head) (first int) {
	due := !a.config.Now().Before(head.probe)
	for i := 0; i < len(a.parts); i++ {
		if i > 0 || !due {
			if first := a.settle(ctx, a.parts[i:i+1]); first < len(a.records) {
				return first
			}
			continue
		}
		half, cancel := halfway(ctx)
		first := a.settle(half, a.parts[:1])
		cancel()
		if first == len(a.records) {
			continue
		}
		if a.parts[0].Outcome == pack.Refused || first > a.parts[0].First {
			return first // Firehose has answered, and records of the head are settled or dead letters.
		}
		if first := a.probe(ctx, head); first < len(a.records) {
			return first
		}
		i++ // The probe has settled the next part as well.
	}
	return len(a.records)
}

// probe sends the records of the head part one by one, and the next part once. If
// Firehose accepts some of them and throttles none, those records of the head that
// it refuses one by one become dead letters. All others are left. If no record of
// the head was refused so, the next probe is due after another 15 minutes.
func (a *attempt) probe(ctx context.Context, head head) (first int) {
	trial, err := a.Split(a.parts[0])
	if err != nil {
		a.err = err
		return a.parts[0].First
	}
	ofHead := len(trial)
	trial = append(trial, a.parts[1:min(2, len(a.parts))]...)
	half, cancel := halfway(ctx)
	defer cancel()
	result := a.send(half, trial)
	accepted := slices.ContainsFunc(trial, func(p pack.Part) bool { return p.Outcome == pack.Delivered })
	var refusals []int // positions in trial
	if accepted && result.Throttled == 0 {
		refusals = refusedAlone(result, ofHead)
	}
	if len(refusals) == 0 {
		a.heads.probed(a.shard(), a.config.Now())
	}
	for _, i := range refusals {
		trial[i].Outcome = pack.Refused
		trial[i].Reason = fmt.Sprintf("Firehose has refused the record since %s and accepts others: %v", head.since.UTC().Format(time.RFC3339), result.Err)
	}
	return a.finish(ctx, a.sendAlone(ctx, trial))
}

// refusedAlone returns those of the first n entries that the service refused one by
// one and that are left: with an error of their own, or in a call of their own.
func refusedAlone(result sink.Result, n int) []int {
	list := slices.Clone(result.Refused)
	for _, d := range result.Doubtful {
		list = append(list, d.Index)
	}
	return slices.DeleteFunc(list, func(i int) bool { return i >= n })
}

// halfway returns ctx with a deadline at which send has used half of its time.
func halfway(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, deadline.Left(ctx, margin)/2+margin) // send keeps the margin.
}
