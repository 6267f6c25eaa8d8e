package cloud

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// The limits of reading a shard.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
const (
	readsPerSecond     = 5
	readBytesPerSecond = 2 << 20
	maxReadRecords     = 10_000
	maxReadBytes       = 10 << 20
	iteratorLifetime   = 5 * time.Minute
)

// Description describes a stream.
type Description struct {
	StreamOptions
	Name, ARN string
	CreatedAt time.Time
	Shards    []ShardDescription
}

// ShardDescription describes a shard.
type ShardDescription struct {
	ID string
	// StartingHashKey and EndingHashKey are the shard's part of the hash range, as
	// decimal numbers.
	StartingHashKey, EndingHashKey string
	// StartingSequenceNumber is the first possible sequence number.
	StartingSequenceNumber string
	// EndingSequenceNumber is empty for an open shard.
	EndingSequenceNumber string
}

// ListStreams returns the names of all streams, sorted.
func (k *Kinesis) ListStreams(ctx context.Context) (names []string, err error) {
	err = k.faults.call(ctx, Call{Service: ServiceKinesis, Operation: "ListStreams"}, func(func() bool) (int, error) {
		names = k.names()
		return 0, nil
	})
	return names, err
}

// Describe describes a stream and its shards, open and closed. operation is the
// name of the call that asks: DescribeStream, DescribeStreamSummary or ListShards.
func (k *Kinesis) Describe(ctx context.Context, operation, stream string) (d Description, err error) {
	err = k.faults.call(ctx, Call{Service: ServiceKinesis, Operation: operation, Resource: stream}, func(func() bool) (int, error) {
		s, err := k.stream(stream)
		if err != nil {
			return 0, err
		}
		d = s.describe()
		return 0, nil
	})
	return d, err
}

func (s *kinesisStream) describe() Description {
	d := Description{StreamOptions: s.StreamOptions, Name: s.name, ARN: StreamARN(s.name), CreatedAt: s.created}
	for _, sh := range s.all {
		one := ShardDescription{ID: sh.id, StartingSequenceNumber: sequenceNumber(sh.index, 0)}
		if sh.closed {
			end, _ := sh.spool.tail()
			one.EndingSequenceNumber = sequenceNumber(sh.index, end)
			one.StartingHashKey, one.EndingHashKey = hashRange(0, 1) // The earlier number of shards is not known.
		} else {
			one.StartingHashKey, one.EndingHashKey = hashRange(sh.index, len(s.open))
		}
		d.Shards = append(d.Shards, one)
	}
	return d
}

// hashRange returns the bounds of a shard's part of the hash range.
func hashRange(index, shards int) (first, last string) {
	bound := func(i int) *big.Int {
		whole := new(big.Int).Lsh(big.NewInt(1), 128)
		n := new(big.Int).Mul(whole, big.NewInt(int64(i)))
		n.Add(n, big.NewInt(int64(shards-1))) // rounded up
		return n.Div(n, big.NewInt(int64(shards)))
	}
	end := bound(index + 1)
	return bound(index).String(), end.Sub(end, big.NewInt(1)).String()
}

// Types of shard iterators.
const (
	TrimHorizon         = "TRIM_HORIZON"
	Latest              = "LATEST"
	AtSequenceNumber    = "AT_SEQUENCE_NUMBER"
	AfterSequenceNumber = "AFTER_SEQUENCE_NUMBER"
	AtTimestamp         = "AT_TIMESTAMP"
)

// IteratorStart says where a shard iterator begins.
type IteratorStart struct {
	// Type is one of the types of shard iterators.
	Type string
	// SequenceNumber is used by AT_SEQUENCE_NUMBER and AFTER_SEQUENCE_NUMBER.
	SequenceNumber string
	// Timestamp is used by AT_TIMESTAMP.
	Timestamp time.Time
}

// GetShardIterator returns an iterator for GetRecords. It expires after 5 minutes.
func (k *Kinesis) GetShardIterator(ctx context.Context, stream, shardID string, start IteratorStart) (iterator string, err error) {
	err = k.faults.call(ctx, Call{Service: ServiceKinesis, Operation: "GetShardIterator", Resource: stream}, func(func() bool) (int, error) {
		sh, err := k.shard(stream, shardID)
		if err != nil {
			return 0, err
		}
		offset, err := sh.start(start)
		if err != nil {
			return 0, err
		}
		iterator = k.iterator(stream, sh, offset)
		return 0, nil
	})
	return iterator, err
}

func (k *Kinesis) shard(stream, id string) (*shard, error) {
	s, err := k.stream(stream)
	if err != nil {
		return nil, err
	}
	for _, sh := range s.all {
		if sh.id == id {
			return sh, nil
		}
	}
	return nil, newError(ResourceNotFound, "no shard %s in %s", id, stream)
}

// start returns the offset at which an iterator begins.
func (s *shard) start(from IteratorStart) (int64, error) {
	switch from.Type {
	case TrimHorizon:
		return 0, nil
	case Latest:
		end, _ := s.spool.tail()
		return end, nil
	case AtTimestamp:
		if from.Timestamp.IsZero() {
			return 0, newError(InvalidArgument, "AT_TIMESTAMP needs a Timestamp")
		}
		return s.offsetAt(from.Timestamp)
	case AtSequenceNumber, AfterSequenceNumber:
		offset, err := sequenceOffset(from.SequenceNumber)
		if err != nil || from.SequenceNumber != sequenceNumber(s.index, offset) {
			return 0, newError(InvalidArgument, "StartingSequenceNumber is not one of %s", s.id)
		}
		if end, _ := s.spool.tail(); offset > end {
			return 0, newError(InvalidArgument, "StartingSequenceNumber is beyond the end of %s", s.id)
		}
		if from.Type == AtSequenceNumber {
			return offset, nil
		}
		return s.after(from.SequenceNumber)
	}
	return 0, newError(InvalidArgument, "ShardIteratorType %q", from.Type)
}

// offsetAt returns the offset of the first record that arrived at t or later.
func (s *shard) offsetAt(t time.Time) (int64, error) {
	r := s.readFrom(0)
	defer r.close()
	for {
		record, offset, ok, err := r.next()
		if err != nil {
			return 0, err
		}
		if !ok {
			return r.position(), nil
		}
		if !record.ArrivedAt.Before(t) {
			return offset, nil
		}
	}
}

// iterator returns the text of an iterator.
func (k *Kinesis) iterator(stream string, s *shard, offset int64) string {
	text := fmt.Sprintf("%d %d %s %s", k.now().UnixMilli(), offset, s.id, stream)
	return base64.URLEncoding.EncodeToString([]byte(text))
}

// parseIterator returns the shard and the offset of an iterator.
func (k *Kinesis) parseIterator(iterator string) (stream string, sh *shard, offset int64, err error) {
	invalid := newError(InvalidArgument, "invalid ShardIterator")
	text, err := base64.URLEncoding.DecodeString(iterator)
	if err != nil {
		return "", nil, 0, invalid
	}
	parts := strings.SplitN(string(text), " ", 4)
	if len(parts) != 4 {
		return "", nil, 0, invalid
	}
	issued, err1 := strconv.ParseInt(parts[0], 10, 64)
	offset, err2 := strconv.ParseInt(parts[1], 10, 64)
	if err1 != nil || err2 != nil || offset < 0 {
		return "", nil, 0, invalid
	}
	if k.now().Sub(time.UnixMilli(issued)) > iteratorLifetime {
		return "", nil, 0, newError(ExpiredIterator, "the iterator is older than %v", iteratorLifetime)
	}
	sh, err = k.shard(parts[3], parts[2])
	return parts[3], sh, offset, err
}

// Page is the answer of GetRecords.
type Page struct {
	Records []Record
	// NextIterator is empty when the shard is closed and has been read to its end.
	NextIterator string
	// Behind is how far the page is behind the end of the shard.
	Behind time.Duration
}

// GetRecords returns up to limit records, and up to 10 MiB of them. A limit of 0
// is 10,000.
func (k *Kinesis) GetRecords(ctx context.Context, iterator string, limit int) (page Page, err error) {
	stream, sh, offset, parseErr := k.parseIterator(iterator)
	err = k.faults.call(ctx, Call{Service: ServiceKinesis, Operation: "GetRecords", Resource: stream}, func(func() bool) (int, error) {
		if parseErr != nil {
			return 0, parseErr
		}
		if limit == 0 {
			limit = maxReadRecords
		}
		if limit < 1 || limit > maxReadRecords {
			return 0, newError(InvalidArgument, "Limit %d, want 1 to %d", limit, maxReadRecords)
		}
		if sh.reads != nil && !sh.reads.admit(0) {
			return 0, newError(ThroughputExceeded, "Rate exceeded for %s", sh.id)
		}
		page, err = k.read(stream, sh, offset, limit)
		return 0, err
	})
	return page, err
}

func (k *Kinesis) read(stream string, sh *shard, offset int64, limit int) (Page, error) {
	r := sh.readFrom(offset)
	defer r.close()
	var page Page
	size := 0
	for len(page.Records) < limit {
		position := r.position()
		record, _, ok, err := r.next()
		if err != nil {
			return Page{}, err
		}
		if !ok {
			if sh.closed {
				return page, nil
			}
			break
		}
		if size += len(record.Data) + len(record.PartitionKey); size > maxReadBytes && len(page.Records) > 0 {
			page.NextIterator = k.iterator(stream, sh, position)
			break
		}
		record.Data = bytes.Clone(record.Data)
		page.Records = append(page.Records, record)
	}
	if sh.reads != nil {
		sh.reads.spend(size)
	}
	if page.NextIterator == "" {
		page.NextIterator = k.iterator(stream, sh, r.position())
	}
	if end, _ := sh.spool.tail(); r.position() < end && len(page.Records) > 0 {
		page.Behind = max(time.Millisecond, k.now().Sub(page.Records[len(page.Records)-1].ArrivedAt))
	}
	return page, nil
}
