package bridge

import (
	"context"

	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// send puts the parts that are left to the stream's Firehose, in order, and sets
// their outcomes.
func (a *attempt) send(ctx context.Context, parts []part) sink.Result {
	var entries []sink.Entry
	var sent []*part
	for i := range parts {
		if parts[i].outcome == left {
			entries, sent = append(entries, sink.Entry{Data: parts[i].Body}), append(sent, &parts[i])
		}
	}
	if len(entries) == 0 {
		return sink.Result{}
	}
	ctx, cancel := endingEarlier(ctx, a.config.Margin)
	defer cancel()
	result := a.config.Firehose.Put(ctx, stream.ResourceName(a.config.Deployment, a.stream.Name), entries)
	for _, p := range sent {
		p.outcome = delivered
	}
	for _, i := range result.Left {
		sent[i].outcome = left
	}
	for _, d := range result.Doubtful {
		p := sent[d.Index]
		p.outcome, p.reason = doubtful, "Firehose refused the record and the whole call for an hour: "+d.Reason
		if a.arrivedBefore(a.config.Now().Add(-sink.DoubtfulAge), *p) {
			p.outcome = refused
		}
	}
	for _, v := range result.Invalid {
		sent[v.Index].outcome, sent[v.Index].reason = refused, "Firehose refused the record: "+v.Reason
	}
	a.err = result.Err
	a.summary.Calls += result.Calls
	a.summary.Retried += result.Retried
	a.summary.Throttled += result.Throttled
	return result
}

// splitRefused replaces each part of several records that Firehose refused as
// invalid by a part for each record, and sends these, so that only the invalid
// records become dead letters.
func (a *attempt) splitRefused(ctx context.Context, parts []part) []part {
	var all []part
	split := false
	for _, p := range parts {
		isRefused := p.outcome == refused || p.outcome == doubtful
		if !isRefused || p.End-p.First == 1 {
			all = append(all, p)
			continue
		}
		records, err := a.split(p)
		if err != nil {
			a.err = err
			p.outcome = left
			all = append(all, p)
			continue
		}
		all, split = append(all, records...), true
	}
	if split {
		a.send(ctx, all)
	}
	return all
}
