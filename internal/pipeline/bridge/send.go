package bridge

import (
	"cmp"
	"context"

	"github.com/data-sink/data-sink/internal/pipeline/deadline"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// send puts the parts that are left to the stream's Firehose, in order, and sets
// their outcomes.
func (a *attempt) send(ctx context.Context, parts []pack.Part) sink.Result {
	ctx, cancel := context.WithTimeout(ctx, deadline.Left(ctx, margin))
	defer cancel()
	result := a.Send(ctx, a.config.Firehose, parts)
	a.err = cmp.Or(result.Err, a.err)
	return result
}

// sendAlone sends the records of refused parts one by one, so that only the invalid
// records become dead letters. It returns the parts that replace parts.
func (a *attempt) sendAlone(ctx context.Context, parts []pack.Part) []pack.Part {
	all, split, err := a.SplitRefused(parts)
	a.err = cmp.Or(err, a.err)
	if split {
		a.send(ctx, all)
	}
	return all
}
