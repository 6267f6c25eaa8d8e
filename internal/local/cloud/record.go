package cloud

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

// Record is a record of a Kinesis stream as its consumers read it.
type Record struct {
	// SequenceNumber is a decimal string of 56 digits. It increases within a shard.
	SequenceNumber string
	// ArrivedAt is when the stream accepted the record, in whole milliseconds.
	ArrivedAt    time.Time
	PartitionKey string
	Data         []byte
}

// recordHeader is the length of what precedes key and data in a frame: the
// arrival in Unix milliseconds and the length of the key.
const recordHeader = 8 + 2

func recordFrame(e sink.Entry, arrived time.Time) [][]byte {
	header := make([]byte, recordHeader, recordHeader+len(e.PartitionKey))
	binary.BigEndian.PutUint64(header, uint64(arrived.UnixMilli()))
	binary.BigEndian.PutUint16(header[8:], uint16(len(e.PartitionKey)))
	return [][]byte{append(header, e.PartitionKey...), e.Data}
}

func parseRecord(frame []byte) (Record, error) {
	if len(frame) < recordHeader {
		return Record{}, fmt.Errorf("%w: record of %d bytes", errDamaged, len(frame))
	}
	arrived := int64(binary.BigEndian.Uint64(frame))
	key := int(binary.BigEndian.Uint16(frame[8:]))
	frame = frame[recordHeader:]
	if len(frame) < key {
		return Record{}, fmt.Errorf("%w: record without its whole key", errDamaged)
	}
	return Record{ArrivedAt: time.UnixMilli(arrived).UTC(), PartitionKey: string(frame[:key]), Data: frame[key:]}, nil
}

// sequenceNumber returns the sequence number of the record at an offset of a
// shard. All sequence numbers have the same length, so that their order as text
// is their order as numbers.
func sequenceNumber(shard int, offset int64) string {
	number := []byte("49" + "0000000000000000000000000000000000" + "00000000000000000000")
	putDigits(number[2:36], int64(shard))
	putDigits(number[36:], offset)
	return string(number)
}

// putDigits writes a number over the last digits of text.
func putDigits(text []byte, n int64) {
	for i := len(text) - 1; n > 0; i-- {
		text[i] = byte('0' + n%10)
		n /= 10
	}
}

// sequenceOffset returns the offset of the record with a sequence number.
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

// shardReader reads a shard record by record. It is for one goroutine.
type shardReader struct {
	shard  *shard
	frames *spoolReader
}

// readFrom returns a reader that begins at an offset, or at the oldest record if
// the record at that offset has been trimmed.
func (s *shard) readFrom(offset int64) *shardReader {
	return &shardReader{shard: s, frames: s.spool.reader(offset)}
}

// next returns the next record and its offset, or false when there is none yet.
// Data is valid until the next call.
func (r *shardReader) next() (record Record, offset int64, ok bool, err error) {
	frame, err := r.frames.next()
	if errors.Is(err, io.EOF) {
		return Record{}, 0, false, nil
	}
	if err != nil {
		return Record{}, 0, false, fmt.Errorf("reading %s: %w", r.shard.id, err)
	}
	record, err = parseRecord(frame)
	if err != nil {
		return Record{}, 0, false, fmt.Errorf("reading %s: %w", r.shard.id, err)
	}
	offset = r.frames.offset - frameHeader - int64(len(frame))
	record.SequenceNumber = sequenceNumber(r.shard.index, offset)
	return record, offset, true, nil
}

// position is the offset of the next record.
func (r *shardReader) position() int64 { return r.frames.offset }

func (r *shardReader) close() { r.frames.close() }

// after returns the offset behind the record with a sequence number. If that
// record does not exist any more, it returns the record's own offset, so that no
// record is skipped.
func (s *shard) after(sequence string) (int64, error) {
	offset, err := sequenceOffset(sequence)
	if err != nil {
		return 0, err
	}
	r := s.readFrom(offset)
	defer r.close()
	record, _, ok, err := r.next()
	if err != nil {
		return 0, err
	}
	if !ok || record.SequenceNumber != sequence {
		return offset, nil
	}
	return r.position(), nil
}
