package cloud

import (
	"context"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"math/bits"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// The quotas of Kinesis Data Streams for a stream with default settings.
// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
const (
	kinesisCallRecords  = 500
	kinesisCallBytes    = 5 << 20
	kinesisRecordBytes  = 1 << 20
	kinesisKeyChars     = 256
	kinesisShardRecords = 1000
	kinesisShardBytes   = 1 << 20
	// keptForTaps is how much of a shard stays readable for consumers that start
	// late, once the event source mapping has delivered it.
	keptForTaps = 16 << 20
)

// onDemandShards is the number of shards of a new stream with on-demand capacity.
const onDemandShards = 4

// Kinesis is Kinesis Data Streams. It keeps each shard in files. It is safe for
// concurrent use.
type Kinesis struct {
	KinesisOptions

	mu      sync.RWMutex // guards streams
	streams map[string]*kinesisStream
}

var _ sink.Service = (*Kinesis)(nil)

// KinesisOptions say how a Kinesis behaves.
type KinesisOptions struct {
	// Dir has a folder for each stream, and in it a folder for each shard. Close
	// does not close it.
	Dir *os.Root
	// Throttle limits each shard to writes of 1,000 records and 1 MiB a second and
	// to 5 reads and 2 MiB a second.
	Throttle bool
	// Faults may be nil.
	Faults *Faults
	// Now is the clock. The default is time.Now.
	Now func() time.Time
}

// StreamOptions describe a stream.
type StreamOptions struct {
	// Shards is the number of open shards.
	Shards int
	// OnDemand says that the stream has on-demand capacity.
	OnDemand bool
	// RetentionHours is what DescribeStream reports. The default is 24.
	RetentionHours int
}

type kinesisStream struct {
	StreamOptions
	name    string
	created time.Time
	// open are the shards that take records. all has also closed shards, which
	// remain from an earlier, larger number of shards.
	open, all []*shard
}

// shard is one shard of a stream.
type shard struct {
	id            string
	index         int
	spool         *spool
	closed        bool
	writes, reads *rateLimit // nil: no limit
}

// PutRecords writes entries and returns a result for each. A call over a limit is
// refused as a whole.
func (k *Kinesis) PutRecords(ctx context.Context, stream string, entries []sink.Entry) (results []PutResult, err error) {
	c := Call{Service: ServiceKinesis, Operation: "PutRecords", Resource: stream, Records: len(entries)}
	err = k.Faults.call(ctx, c, func(throttled func() bool) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		s, err := k.stream(stream)
		if err != nil {
			return 0, err
		}
		if err := k.check(entries); err != nil {
			return 0, err
		}
		results = s.put(entries, k.Now(), throttled)
		return len(entries) - len(failures(results)), nil
	})
	if err != nil {
		return nil, fmt.Errorf("PutRecords: %w", err)
	}
	return results, nil
}

// Put is PutRecords for the pipeline's writer.
func (k *Kinesis) Put(ctx context.Context, stream string, entries []sink.Entry) ([]sink.Failure, error) {
	results, err := k.PutRecords(ctx, stream, entries)
	if err != nil {
		return nil, err
	}
	return failures(results), nil
}

func (k *Kinesis) check(entries []sink.Entry) error {
	if n := len(entries); n < 1 || n > kinesisCallRecords {
		return newError(InvalidArgument, "%d records, want 1 to %d", n, kinesisCallRecords)
	}
	total := 0
	for i, e := range entries {
		if n := utf8.RuneCountInString(e.PartitionKey); n < 1 || n > kinesisKeyChars {
			return newError(InvalidArgument, "record %d has a partition key of %d characters, want 1 to %d", i, n, kinesisKeyChars)
		}
		size := len(e.PartitionKey) + len(e.Data)
		if size > kinesisRecordBytes {
			return newError(InvalidArgument, "record %d has %d bytes, want %d at most", i, size, kinesisRecordBytes)
		}
		if k.Faults.invalid(ServiceKinesis, e) {
			return newError(InvalidArgument, "record %d is refused by the test", i)
		}
		total += size
	}
	if total > kinesisCallBytes {
		return newError(InvalidArgument, "%d bytes, want %d at most", total, kinesisCallBytes)
	}
	return nil
}

// put appends each entry to its shard.
func (s *kinesisStream) put(entries []sink.Entry, now time.Time, throttled func() bool) []PutResult {
	results := make([]PutResult, len(entries))
	parts := make([][]int, len(s.open))
	for i := range entries {
		if throttled() {
			results[i].Err = newError(ThroughputExceeded, "Rate exceeded")
			continue
		}
		at := shardOf(entries[i].PartitionKey, len(s.open))
		parts[at] = append(parts[at], i)
	}
	for at, part := range parts {
		s.open[at].put(entries, part, now, results)
	}
	return results
}

// put appends the entries at the positions of part, and sets their results.
func (s *shard) put(entries []sink.Entry, part []int, now time.Time, results []PutResult) {
	var taken []int
	var frames [][][]byte
	for _, i := range part {
		e := entries[i]
		if s.writes != nil && !s.writes.admit(len(e.PartitionKey)+len(e.Data)) {
			results[i].Err = newError(ThroughputExceeded, "Rate exceeded for %s", s.id)
			continue
		}
		taken = append(taken, i)
		frames = append(frames, recordFrame(e, now))
	}
	if len(frames) == 0 {
		return
	}
	offsets, err := s.spool.append(frames)
	for n, i := range taken {
		if err != nil {
			results[i].Err = newError(InternalFailure, "%v", err)
			continue
		}
		results[i] = PutResult{ShardID: s.id, ID: sequenceNumber(s.index, offsets[n])}
	}
}

// shardOf returns the position of the shard whose part of the hash range holds
// the MD5 of the key. All parts have the same size.
func shardOf(key string, shards int) int {
	sum := md5.Sum([]byte(key)) // Kinesis's own hash
	high := binary.BigEndian.Uint64(sum[:8])
	low := binary.BigEndian.Uint64(sum[8:])
	// floor(hash * shards / 2^128)
	carry, _ := bits.Mul64(low, uint64(shards))
	at, rest := bits.Mul64(high, uint64(shards))
	if _, over := bits.Add64(rest, carry, 0); over == 1 {
		at++
	}
	return int(at)
}
