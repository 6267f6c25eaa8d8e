package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/data-sink/data-sink/internal/operate/tap"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
)

// tapped is what the comparison keeps of a record on the tap, without its body.
type tapped struct {
	sequence  string
	arrivedAt time.Time
	bytes     int
	packed    int // the number of packed records that contain it
}

// position is the place of a record on the tap.
type position struct {
	shard string
	index int
}

// readTap compares the tap with the log of the bridge.
func (v *verification) readTap(ctx context.Context) error {
	if v.Tap == nil {
		return nil
	}
	shards := make(map[string][]tapped)
	positions := make(map[string]position) // by sequence number, which is unique in a stream
	err := v.Tap(ctx, v.From, v.To, func(r tap.Record) error {
		positions[r.Sequence] = position{r.Shard, len(shards[r.Shard])}
		shards[r.Shard] = append(shards[r.Shard], tapped{sequence: r.Sequence, arrivedAt: r.ArrivedAt, bytes: len(r.Body)})
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the tap: %w", err)
	}
	for _, p := range v.index.lines {
		v.countPacked(p, shards, positions)
	}
	return v.judgeTapped(ctx, shards)
}

// countPacked counts one packed record at each of its records on the tap, and
// reports a packed record that has another number of records than the tap.
func (v *verification) countPacked(p pack.Line, shards map[string][]tapped, positions map[string]position) {
	first, hasFirst := positions[p.FirstSequence]
	last, hasLast := positions[p.LastSequence]
	switch { // a packed record may begin before the window or end after it
	case !hasFirst && !hasLast:
		return
	case !hasLast:
		last = position{first.shard, len(shards[first.shard]) - 1}
	case !hasFirst:
		first = position{last.shard, 0}
	}
	records := shards[first.shard]
	for i := first.index; i <= last.index; i++ {
		records[i].packed++
	}
	if n := last.index - first.index + 1; hasFirst && hasLast && n != p.Records {
		v.report.find(Finding{
			Kind: Changed, Hop: HopBridge, Records: n, Packed: 1, LoggedAt: p.LoggedAt, FirstSequence: p.FirstSequence, LastSequence: p.LastSequence,
			Detail: fmt.Sprintf("sent %d records to Firehose at %s, but the tap has %d records there", p.Records, stamp(p.LoggedAt), n),
		})
	}
}

// judgeTapped reports which records of the tap are dead letters, in flight,
// missing, or in more than one packed record.
func (v *verification) judgeTapped(ctx context.Context, shards map[string][]tapped) error {
	type id struct{ shard, sequence string }
	dead := make(map[id]bool)
	if v.DeadLetters != nil {
		err := v.DeadLetters(ctx, func(shard, sequence string) { dead[id{shard, sequence}] = true })
		if err != nil {
			return fmt.Errorf("reading dead letters: %w", err)
		}
	}
	v.report.Tap = &Count{}
	for _, shard := range sortedKeys(shards) {
		missing := gap{kind: Missing, hop: HopBridge, what: "on the tap in " + shard + ", but not sent to Firehose"}
		twice := gap{kind: Twice, hop: HopBridge, what: "of " + shard + ", sent to Firehose more than once"}
		for _, t := range shards[shard] {
			one := pack.Line{Bytes: t.bytes, Records: 1, FirstSequence: t.sequence, LastSequence: t.sequence}
			v.report.Tap.addRecord(t.bytes)
			isMissing := false
			switch {
			case t.packed > 0:
			case dead[id{shard, t.sequence}]:
				v.report.DeadLettered.addRecord(t.bytes)
			case v.isYoung(t.arrivedAt):
				v.report.TapInFlight.addRecord(t.bytes)
			default:
				isMissing = true
			}
			missing.extend(v.report, one, isMissing)
			twice.extend(v.report, one, t.packed > 1)
		}
		missing.close(v.report)
		twice.close(v.report)
	}
	return nil
}
