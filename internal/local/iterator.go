package local

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// TapRecord is a record of a Kinesis stream as its consumers see it.
type TapRecord struct {
	// SequenceNumber grows within a shard: a decimal string of 56 digits.
	SequenceNumber string
	// ArrivedAt is when the stream took the record, in whole milliseconds.
	ArrivedAt    time.Time
	PartitionKey string
	Data         []byte
}

// recordHeader is what stands before key and data: the arrival in Unix
// milliseconds and the length of the key.
const recordHeader = 8 + 2

func recordFrame(e sink.Entry, arrived time.Time) [][]byte {
	header := make([]byte, recordHeader, recordHeader+len(e.PartitionKey))
	binary.BigEndian.PutUint64(header, uint64(arrived.UnixMilli()))
	binary.BigEndian.PutUint16(header[8:], uint16(len(e.PartitionKey)))
	return [][]byte{append(header, e.PartitionKey...), e.Data}
}

func parseRecord(frame []byte) (TapRecord, error) {
	if len(frame) < recordHeader {
		return TapRecord{}, fmt.Errorf("%w: a record of %d bytes", errDamaged, len(frame))
	}
	arrived := int64(binary.BigEndian.Uint64(frame))
	key := int(binary.BigEndian.Uint16(frame[8:]))
	frame = frame[recordHeader:]
	if len(frame) < key {
		return TapRecord{}, fmt.Errorf("%w: a record that ends in its key", errDamaged)
	}
	return TapRecord{ArrivedAt: time.UnixMilli(arrived).UTC(), PartitionKey: string(frame[:key]), Data: frame[key:]}, nil
}

// sequenceNumber names the record at an offset of a shard. All have the same
// length, so that they grow as numbers and as text.
func sequenceNumber(shard int, offset int64) string {
	return fmt.Sprintf("49%034d%020d", shard, offset)
}

// sequenceOffset is the offset of the record with that sequence number.
func sequenceOffset(sequence string) (int64, error) {
	if len(sequence) != 56 || !strings.HasPrefix(sequence, "49") {
		return 0, fmt.Errorf("sequence number %q: want 56 digits", sequence)
	}
	offset, err := strconv.ParseInt(sequence[36:], 10, 64)
	if err != nil || offset < 0 {
		return 0, fmt.Errorf("sequence number %q: want 56 digits", sequence)
	}
	return offset, nil
}

// ShardIDs returns the ids of all shards of a stream that may hold records; none
// for a stream that is not there.
func (k *Kinesis) ShardIDs(stream string) []string {
	s, ok := k.streams[stream]
	if !ok {
		return nil
	}
	ids := make([]string, len(s.all))
	for i, sh := range s.all {
		ids[i] = sh.id
	}
	return ids
}

func (k *Kinesis) shard(stream, id string) (*shard, error) {
	if s, ok := k.streams[stream]; ok {
		for _, sh := range s.all {
			if sh.id == id {
				return sh, nil
			}
		}
	}
	return nil, fmt.Errorf("%w: no shard %s of %s", errNoStream, id, stream)
}

// ShardIterator reads a shard record by record. It is for one goroutine.
type ShardIterator struct {
	shard  *shard
	reader *spoolReader
}

// Iterate begins after the record with that sequence number, or with an empty
// one at the oldest record that is kept (TRIM_HORIZON).
func (k *Kinesis) Iterate(stream, shardID, after string) (*ShardIterator, error) {
	sh, err := k.shard(stream, shardID)
	if err != nil {
		return nil, err
	}
	if after == "" {
		return sh.iterate(0), nil
	}
	offset, err := sequenceOffset(after)
	if err != nil {
		return nil, err
	}
	it := sh.iterate(offset)
	r, ok, err := it.Next()
	if err != nil || !ok || r.SequenceNumber != after {
		// That record is gone, and what comes next is not to be passed over.
		it.Close()
		it = sh.iterate(offset)
	}
	return it, err
}

// iterate begins at the record at offset.
func (s *shard) iterate(offset int64) *ShardIterator {
	return &ShardIterator{shard: s, reader: s.spool.reader(offset)}
}

// Next returns the next record, or false when there is none yet. Data is valid
// until the next call.
func (it *ShardIterator) Next() (TapRecord, bool, error) {
	frame, err := it.reader.next()
	if errors.Is(err, io.EOF) {
		return TapRecord{}, false, nil
	}
	if err != nil {
		return TapRecord{}, false, fmt.Errorf("reading %s: %w", it.shard.id, err)
	}
	r, err := parseRecord(frame)
	if err != nil {
		return TapRecord{}, false, fmt.Errorf("reading %s: %w", it.shard.id, err)
	}
	offset := it.reader.offset - frameHeader - int64(len(frame))
	r.SequenceNumber = sequenceNumber(it.shard.index, offset)
	return r, true, nil
}

// Close releases the iterator's file.
func (it *ShardIterator) Close() { it.reader.close() }

// Grown returns a channel that is closed when the shard takes another record
// than those there were at the time of the call.
func (it *ShardIterator) Grown() <-chan struct{} {
	_, grown := it.shard.spool.tail()
	return grown
}
