package awstest

import (
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/http"
	"sync"
	"time"
	"unicode/utf8"
)

// The quotas of Kinesis Data Streams, for a stream with default settings.
// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
const (
	kinesisRecords     = 500
	kinesisCallBytes   = 5 << 20
	kinesisRecordBytes = 1 << 20
	kinesisKeyChars    = 256
)

// Kinesis holds the records of streams in memory until they are trimmed.
type Kinesis struct {
	streams map[string][]*Shard
	invalid func(partitionKey string, data []byte) bool
}

// Record is a record of a shard.
type Record struct {
	// Position counts the shard's records, from 0 on.
	Position       int64
	SequenceNumber string
	PartitionKey   string
	Data           []byte
	ArrivedAt      time.Time
}

// Shard is one shard. It is safe for concurrent use.
type Shard struct {
	// ID is as in shardId-000000000000.
	ID string

	mu      sync.Mutex
	records []Record
	next    int64
	grown   chan struct{}
}

func newKinesis(shards map[string]int, invalid func(string, []byte) bool) *Kinesis {
	k := &Kinesis{streams: make(map[string][]*Shard), invalid: invalid}
	for name, n := range shards {
		for i := range n {
			k.streams[name] = append(k.streams[name], &Shard{ID: fmt.Sprintf("shardId-%012d", i), grown: make(chan struct{})})
		}
	}
	return k
}

// Shards returns the shards of a stream; none of one that does not exist.
func (k *Kinesis) Shards(stream string) []*Shard { return k.streams[stream] }

type putRecordsEntry struct {
	Data         []byte
	PartitionKey string
}

type putRecordsResult struct {
	SequenceNumber string `json:",omitempty"`
	ShardID        string `json:"ShardId,omitempty"`
	ErrorCode      string `json:",omitempty"`
	ErrorMessage   string `json:",omitempty"`
}

func (k *Kinesis) readPutRecords(r *http.Request, op *operation) {
	var in struct {
		StreamName string
		Records    []putRecordsEntry
	}
	if !readJSON(r, op, &in) {
		return
	}
	op.call.Resource, op.call.Records = in.StreamName, len(in.Records)
	shards := k.streams[in.StreamName]
	if shards == nil {
		op.refuse(*badRequest("ResourceNotFoundException", "no stream %s", in.StreamName))
		return
	}
	if err := k.check(in.Records); err != nil {
		op.refuse(*err)
		return
	}
	op.effect = func(throttled func() bool) (int, func(http.ResponseWriter)) {
		results := make([]putRecordsResult, len(in.Records))
		failed := 0
		for i, e := range in.Records {
			if throttled() {
				results[i] = putRecordsResult{ErrorCode: "ProvisionedThroughputExceededException", ErrorMessage: "Rate exceeded"}
				failed++
				continue
			}
			s := shards[shardOf(e.PartitionKey, len(shards))]
			results[i] = putRecordsResult{SequenceNumber: s.append(e), ShardID: s.ID}
		}
		return len(results) - failed, func(w http.ResponseWriter) {
			writeJSON(w, http.StatusOK, map[string]any{"FailedRecordCount": failed, "Records": results})
		}
	}
}

func (k *Kinesis) check(records []putRecordsEntry) *jsonError {
	if n := len(records); n < 1 || n > kinesisRecords {
		return badRequest("InvalidArgumentException", "%d records, want 1 to %d", n, kinesisRecords)
	}
	total := 0
	for i, e := range records {
		size := len(e.PartitionKey) + len(e.Data)
		total += size
		switch n := utf8.RuneCountInString(e.PartitionKey); {
		case n < 1 || n > kinesisKeyChars:
			return badRequest("InvalidArgumentException", "record %d has a partition key of %d characters", i, n)
		case size > kinesisRecordBytes:
			return badRequest("InvalidArgumentException", "record %d has %d bytes", i, size)
		case k.invalid != nil && k.invalid(e.PartitionKey, e.Data):
			return badRequest("InvalidArgumentException", "record %d is invalid here", i)
		}
	}
	if total > kinesisCallBytes {
		return badRequest("InvalidArgumentException", "%d bytes, want %d at most", total, kinesisCallBytes)
	}
	return nil
}

// shardOf is the position of the shard whose part of the hash range holds the
// MD5 of the key; the parts are of one size.
func shardOf(key string, shards int) int {
	sum := md5.Sum([]byte(key)) //nolint:gosec // Kinesis' own choice
	// The low half would matter for one key in 2^64.
	at, _ := bits.Mul64(binary.BigEndian.Uint64(sum[:8]), uint64(shards))
	return int(at)
}

func (s *Shard) append(e putRecordsEntry) (sequenceNumber string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sequenceNumber = fmt.Sprintf("4965%052d", s.next)
	s.records = append(s.records, Record{
		Position: s.next, SequenceNumber: sequenceNumber,
		PartitionKey: e.PartitionKey, Data: e.Data, ArrivedAt: time.Now(),
	})
	s.next++
	close(s.grown)
	s.grown = make(chan struct{})
	return sequenceNumber
}

// Read returns records from a position on: at most so many, and after the first
// no more than so many bytes of data.
func (s *Shard) Read(from int64, records, bytes int) []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	start := max(0, int(from-(s.next-int64(len(s.records)))))
	if start >= len(s.records) {
		return nil
	}
	end, size := start, 0
	for end < len(s.records) && end-start < records {
		size += len(s.records[end].Data)
		if size > bytes && end > start {
			break
		}
		end++
	}
	return append([]Record(nil), s.records[start:end]...)
}

// Next is the position of the record that comes next; grown is closed then.
func (s *Shard) Next() (position int64, grown <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next, s.grown
}

// Trim forgets the records before a position.
func (s *Shard) Trim(before int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.records), max(0, int(before-(s.next-int64(len(s.records))))))
	clear(s.records[:n])
	s.records = s.records[n:]
	if len(s.records) == 0 {
		s.records = nil
	}
}
