package cloud

import (
	"bytes"
	"context"
	"errors"
	"math/big"
	"time"
)

// The limits of reading a shard.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
const (
	readsPerSecond     = 5
	readBytesPerSecond = 2 << 20
	maxReadRecords     = 10_000
	maxReadBytes       = 10 << 20
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
func (k *Kinesis) ListStreams(ctx context.Context) ([]string, error) {
	return query(ctx, k.Faults, Call{Service: ServiceKinesis, Operation: "ListStreams"}, func() ([]string, error) { return k.names(), nil })
}

// Describe describes a stream and its shards, open and closed. operation is the
// name of the call that asks: DescribeStream, DescribeStreamSummary or ListShards.
func (k *Kinesis) Describe(ctx context.Context, operation, stream string) (Description, error) {
	return query(ctx, k.Faults, Call{Service: ServiceKinesis, Operation: operation, Resource: stream}, func() (Description, error) {
		s, err := k.stream(stream)
		if err != nil {
			return Description{}, err
		}
		return s.describe(), nil
	})
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
func (k *Kinesis) GetRecords(ctx context.Context, iterator string, limit int) (Page, error) {
	stream, sh, offset, err := k.parseIterator(iterator)
	return query(ctx, k.Faults, Call{Service: ServiceKinesis, Operation: "GetRecords", Resource: stream}, func() (Page, error) {
		if err != nil {
			return Page{}, err
		}
		if limit == 0 {
			limit = maxReadRecords
		}
		if limit < 1 || limit > maxReadRecords {
			return Page{}, newError(InvalidArgument, "Limit %d, want 1 to %d", limit, maxReadRecords)
		}
		if sh.reads != nil && !sh.reads.admit(0) {
			return Page{}, newError(ThroughputExceeded, "Rate exceeded for %s", sh.id)
		}
		return k.read(stream, sh, offset, limit)
	})
}

func (k *Kinesis) read(stream string, sh *shard, offset int64, limit int) (Page, error) {
	invalid := newError(InvalidArgument, "ShardIterator is not an iterator of %s", sh.id)
	if end, _ := sh.spool.tail(); offset > end {
		return Page{}, invalid
	}
	r := sh.readFrom(offset)
	defer r.close()
	var page Page
	size := 0
	for len(page.Records) < limit {
		position := r.position()
		record, _, ok, err := r.next()
		if errors.Is(err, errDamaged) && position == offset { // No record begins at the offset.
			return Page{}, invalid
		}
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
		page.Behind = max(time.Millisecond, k.Now().Sub(page.Records[len(page.Records)-1].ArrivedAt))
	}
	return page, nil
}
