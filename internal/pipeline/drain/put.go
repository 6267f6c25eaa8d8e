package drain

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// minRandomKey is the number of bytes that a partition key needs to be replaced by
// a random one; see sink.Entry.AnyShard.
const minRandomKey = 16

// put puts the records of a claim to Kinesis, or to Firehose if the stream does not
// feed a tap, and decides what becomes of the records that are not accepted.
func (r *run) put(ctx context.Context, c queue.Claim) *delivery {
	d := r.decode(c)
	if r.stream.FeedsTap() {
		d.result = r.putToTap(ctx, d.records)
	} else {
		d.result, d.packed = r.putToFirehose(ctx, d.records)
	}

	now := r.config.Now()
	final := make(map[int]bool)
	for _, refused := range slices.Concat(d.result.Invalid, tooOld(d.result.Doubtful, d.records, now)) {
		final[refused.Index] = true
		d.refuse(refused, now)
	}
	for _, i := range d.result.Left {
		switch {
		case final[i]:
			// It is a dead letter.
		case d.result.Throttled > 0 && r.stream.FeedsTap() && !goesToAnyShard(d.records[i]):
			// The shard of a key that a client chose is full. At the head of the
			// queue the record would hold back those of other shards.
			d.later = append(d.later, d.positions[i])
		default:
			d.left = append(d.left, d.positions[i])
		}
	}
	return d
}

// putToTap puts records to the Kinesis stream. The indices of the result are those of
// the records.
func (r *run) putToTap(ctx context.Context, records []envelope.Record) sink.Result {
	entries := make([]sink.Entry, len(records))
	for i, record := range records {
		entries[i] = sink.Entry{PartitionKey: record.KinesisKey(), AnyShard: goesToAnyShard(record), Data: record.Body}
	}
	return r.config.Kinesis.Put(ctx, r.resource, entries)
}

// goesToAnyShard reports whether the client did not choose the shard of a record.
func goesToAnyShard(r envelope.Record) bool {
	return r.PartitionKey == "" && len(r.KinesisKey()) >= minRandomKey
}

// tooOld returns those of the doubtful entries whose records are too old to wait
// any longer.
func tooOld(doubtful []sink.Invalid, records []envelope.Record, now time.Time) []sink.Invalid {
	return slices.DeleteFunc(slices.Clone(doubtful), func(d sink.Invalid) bool { return !isOld(records[d.Index], now) })
}

func isOld(r envelope.Record, now time.Time) bool { return now.Sub(r.ReceivedAt) >= sink.DoubtfulAge }

// buffers holds memory for packed records. The records of a claim are framed and
// copied into one buffer.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// putToFirehose packs records and puts them to the Firehose. It logs each packed
// record that Firehose accepted, and returns their number. The indices of the result
// are those of the records; its Retried and Throttled count packed records.
func (r *run) putToFirehose(ctx context.Context, records []envelope.Record) (result sink.Result, packed int) {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	parts, sent := r.sendPacked(ctx, records, buffer)
	result = sink.Result{Retried: sent.Retried, Throttled: sent.Throttled}
	for _, p := range parts {
		if p.Outcome == pack.Delivered {
			p.Line(r.name).Log(ctx, r.config.Log)
			packed++
			continue
		}
		for i := p.First; i < p.End; i++ {
			if p.Outcome == pack.Refused {
				result.Invalid = append(result.Invalid, sink.Invalid{Index: i, Reason: p.Reason})
			} else {
				result.Left = append(result.Left, i)
			}
		}
	}
	if len(result.Left) > 0 {
		result.Err = sent.Err
	}
	return result, packed
}

// sendPacked packs records into buffer, and sends the packed records to the Firehose.
// The records of a packed record that Firehose refuses are sent one by one, so that
// only the invalid records become dead letters. It returns what became of the parts,
// and the sum of the results of both calls.
func (r *run) sendPacked(ctx context.Context, records []envelope.Record, buffer *[]byte) ([]pack.Part, sink.Result) {
	now := r.config.Now()
	batch := pack.Batch{
		Firehose: r.resource, Format: r.stream.Format, Records: len(records),
		AppendBody: func(dst []byte, i int) ([]byte, error) { return append(dst, records[i].Body...), nil },
		IsOld:      func(i int) bool { return isOld(records[i], now) },
	}
	dst, parts, err := batch.Parts((*buffer)[:0])
	if err != nil {
		return []pack.Part{{Packed: pack.Packed{End: len(records)}}}, sink.Result{Err: err}
	}
	*buffer = dst
	sum := batch.Send(ctx, r.config.Firehose, parts)
	parts, split, err := batch.SplitRefused(parts)
	if split {
		again := batch.Send(ctx, r.config.Firehose, parts)
		sum.Retried, sum.Throttled = sum.Retried+again.Retried, sum.Throttled+again.Throttled
		sum.Err = cmp.Or(again.Err, sum.Err)
	}
	sum.Err = cmp.Or(err, sum.Err)
	return parts, sum
}
