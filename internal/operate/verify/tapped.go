package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/pack"
)

// Tapped is one record of the tap.
type Tapped struct {
	Shard, Sequence string
	ArrivedAt       time.Time
	Bytes           int
}

// tapped is a record of the tap with the number of packed records it is part of.
type tapped struct {
	Tapped
	bridged int
}

// readTap compares the tap with what the bridge logged.
func (v *verification) readTap(ctx context.Context) error {
	if v.Tap == nil {
		return nil
	}
	shards := make(map[string][]tapped)
	type position struct {
		shard string
		at    int
	}
	positions := make(map[string]position) // by sequence number, unique in a stream
	err := v.Tap(ctx, v.From, v.To, func(t Tapped) error {
		positions[t.Sequence] = position{t.Shard, len(shards[t.Shard])}
		shards[t.Shard] = append(shards[t.Shard], tapped{Tapped: t})
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the tap: %w", err)
	}
	for _, p := range v.ledger.lines {
		first, firstOK := positions[p.FirstSequence]
		last, lastOK := positions[p.LastSequence]
		switch { // a packed record may reach over the window's ends
		case firstOK && !lastOK:
			last = position{first.shard, len(shards[first.shard]) - 1}
		case lastOK && !firstOK:
			first = position{last.shard, 0}
		case !firstOK:
			continue
		}
		records := shards[first.shard]
		for i := first.at; i <= last.at; i++ {
			records[i].bridged++
		}
		if n := last.at - first.at + 1; firstOK && lastOK && n != p.Records {
			v.report.find(Finding{
				Kind: Changed, Hop: HopBridge, Records: n, Packed: 1, LoggedAt: p.LoggedAt, FirstSequence: p.FirstSequence, LastSequence: p.LastSequence,
				Detail: fmt.Sprintf("sent %d records to Firehose at %s, but the tap has %d there", p.Records, stamp(p.LoggedAt), n),
			})
		}
	}
	return v.judgeTapped(ctx, shards)
}

// judgeTapped says which records of the tap are bridged, put aside, in flight,
// missing or bridged twice.
func (v *verification) judgeTapped(ctx context.Context, shards map[string][]tapped) error {
	type id struct{ shard, sequence string }
	aside := make(map[id]bool)
	if v.Aside != nil {
		err := v.Aside(ctx, func(shard, sequence string) { aside[id{shard, sequence}] = true })
		if err != nil {
			return fmt.Errorf("reading what was put aside: %w", err)
		}
	}
	v.report.Tap = &Count{}
	for _, shard := range sortedKeys(shards) {
		missing := gap{kind: Missing, hop: HopBridge, what: "on the tap in " + shard + ", and not sent to Firehose"}
		twice := gap{kind: Twice, hop: HopBridge, what: "of " + shard + ", sent to Firehose more than once"}
		for _, t := range shards[shard] {
			one := pack.Line{Bytes: t.Bytes, Records: 1, FirstSequence: t.Sequence, LastSequence: t.Sequence}
			v.report.Tap.Records++
			v.report.Tap.Bytes += int64(t.Bytes)
			isMissing := false
			switch {
			case t.bridged > 0:
			case aside[id{t.Shard, t.Sequence}]:
				v.report.Aside.Records++
				v.report.Aside.Bytes += int64(t.Bytes)
			case v.isYoung(t.ArrivedAt):
				v.report.TapInFlight.Records++
				v.report.TapInFlight.Bytes += int64(t.Bytes)
			default:
				isMissing = true
			}
			missing.extend(v.report, one, isMissing)
			twice.extend(v.report, one, t.bridged > 1)
		}
		missing.close(v.report)
		twice.close(v.report)
	}
	return nil
}
