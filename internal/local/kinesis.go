package local

import (
	"context"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"

	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// The quotas of Kinesis Data Streams, for a stream with default settings.
// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
const (
	kinesisCallRecords  = 500
	kinesisCallBytes    = 5 << 20
	kinesisRecordBytes  = 1 << 20
	kinesisKeyChars     = 256
	kinesisShardRecords = 1000
	kinesisShardBytes   = 1 << 20
	// onDemandShards is what a stream with on-demand capacity begins with.
	onDemandShards = 4
	// keptForTaps is how much of a shard stays readable, for taps that come
	// late, once the event source mapping has delivered it.
	keptForTaps = 16 << 20
)

var (
	errNoStream = errors.New("ResourceNotFoundException")
	errArgument = fmt.Errorf("%w: InvalidArgumentException", sink.ErrInvalid)
)

// Kinesis is a Kinesis Data Streams of this process, with the real limits. The
// records of each shard lie in files, so that they cost no memory and outlive
// the process. It is safe for concurrent use.
type Kinesis struct {
	streams map[string]*kinesisStream
	now     func() time.Time
}

var _ sink.Service = (*Kinesis)(nil)

// KinesisOptions says which streams there are.
type KinesisOptions struct {
	// Dir is the folder of the records: a folder for each stream, and in it one
	// for each shard.
	Dir string
	// Shards is the number of shards of each stream, by its AWS name.
	Shards map[string]int
	// Throttle makes each shard refuse what is over 1,000 records and 1 MiB a
	// second, as AWS does.
	Throttle bool
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

type kinesisStream struct {
	// open takes records; all holds also the shards that an earlier, larger
	// number of shards has left behind.
	open, all []*shard
}

// shard is one shard of a stream.
type shard struct {
	id       string
	index    int
	spool    *spool
	throttle *shardThrottle // nil for none
}

// OpenKinesis opens the streams with what earlier processes left in their shards.
func OpenKinesis(o KinesisOptions) (*Kinesis, error) {
	k := &Kinesis{streams: make(map[string]*kinesisStream), now: o.Now}
	if k.now == nil {
		k.now = time.Now
	}
	for name, shards := range o.Shards {
		s := &kinesisStream{}
		for i := 0; ; i++ {
			id := fmt.Sprintf("shardId-%012d", i)
			dir := filepath.Join(o.Dir, name, id)
			if i >= shards {
				if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
					break
				}
			}
			log, err := openSpool(dir)
			if err != nil {
				return nil, fmt.Errorf("opening shard %d of %s: %w", i, name, err)
			}
			sh := &shard{id: id, index: i, spool: log}
			if o.Throttle {
				sh.throttle = &shardThrottle{now: k.now}
			}
			s.all = append(s.all, sh)
		}
		s.open = s.all[:shards]
		k.streams[name] = s
	}
	return k, nil
}

// Put is one PutRecords call. A call over a limit is refused as a whole, an
// entry over its shard's rate by itself.
func (k *Kinesis) Put(ctx context.Context, stream string, entries []sink.Entry) ([]sink.Failure, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("PutRecords: %w", err)
	}
	s, ok := k.streams[stream]
	if !ok {
		return nil, fmt.Errorf("PutRecords: %w: no stream %s", errNoStream, stream)
	}
	if err := checkPutRecords(entries); err != nil {
		return nil, fmt.Errorf("PutRecords: %w", err)
	}
	parts := make([][]int, len(s.open))
	for i := range entries {
		at := shardOf(entries[i].PartitionKey, len(s.open))
		parts[at] = append(parts[at], i)
	}
	var failures []sink.Failure
	for at, part := range parts {
		failures = append(failures, s.open[at].put(entries, part, k.now())...)
	}
	return failures, nil
}

func checkPutRecords(entries []sink.Entry) error {
	if n := len(entries); n < 1 || n > kinesisCallRecords {
		return fmt.Errorf("%w: %d records, want 1 to %d", errArgument, n, kinesisCallRecords)
	}
	total := 0
	for i, e := range entries {
		if n := utf8.RuneCountInString(e.PartitionKey); n < 1 || n > kinesisKeyChars {
			return fmt.Errorf("%w: record %d has a partition key of %d characters, want 1 to %d", errArgument, i, n, kinesisKeyChars)
		}
		size := len(e.PartitionKey) + len(e.Data)
		if size > kinesisRecordBytes {
			return fmt.Errorf("%w: record %d has %d bytes, want %d at most", errArgument, i, size, kinesisRecordBytes)
		}
		total += size
	}
	if total > kinesisCallBytes {
		return fmt.Errorf("%w: %d bytes, want %d at most", errArgument, total, kinesisCallBytes)
	}
	return nil
}

// shardOf is the position of the shard whose part of the hash range holds the
// MD5 of the key; the parts are of one size.
func shardOf(key string, shards int) int {
	sum := md5.Sum([]byte(key))
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

// put appends the entries at the positions of part.
func (s *shard) put(entries []sink.Entry, part []int, now time.Time) []sink.Failure {
	var failures []sink.Failure
	var taken []int
	var frames [][][]byte
	for _, i := range part {
		e := entries[i]
		if s.throttle != nil && !s.throttle.admit(len(e.PartitionKey)+len(e.Data)) {
			failures = append(failures, sink.Failure{Index: i, Err: fmt.Errorf("%w: ProvisionedThroughputExceededException: %s", sink.ErrThrottled, s.id)})
			continue
		}
		taken = append(taken, i)
		frames = append(frames, recordFrame(e, now))
	}
	if len(frames) == 0 {
		return failures
	}
	if _, err := s.spool.append(frames); err != nil {
		for _, i := range taken {
			failures = append(failures, sink.Failure{Index: i, Err: fmt.Errorf("InternalFailure: %w", err)})
		}
	}
	return failures
}

// Close closes the files of all shards.
func (k *Kinesis) Close() error {
	var errs []error
	for _, s := range k.streams {
		for _, sh := range s.all {
			errs = append(errs, sh.spool.close())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing Kinesis: %w", err)
	}
	return nil
}
