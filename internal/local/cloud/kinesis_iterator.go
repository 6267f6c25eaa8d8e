package cloud

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const iteratorLifetime = 5 * time.Minute

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
func (k *Kinesis) GetShardIterator(ctx context.Context, stream, shardID string, start IteratorStart) (string, error) {
	return query(ctx, k.Faults, Call{Service: ServiceKinesis, Operation: "GetShardIterator", Resource: stream}, func() (string, error) {
		sh, err := k.shard(stream, shardID)
		if err != nil {
			return "", err
		}
		if start.Timestamp.After(k.Now()) {
			return "", newError(InvalidArgument, "Timestamp is in the future")
		}
		offset, err := sh.start(start)
		if err != nil {
			return "", err
		}
		return k.iterator(stream, sh, offset), nil
	})
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
	return nil, newError(ResourceNotFound, "Could not find shard %s in stream %s under account %s.", id, stream, Account)
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
		return s.startAtRecord(from)
	}
	return 0, newError(InvalidArgument, "ShardIteratorType %q does not exist", from.Type)
}

// startAtRecord returns the offset of the record with a sequence number, or the offset
// after it.
func (s *shard) startAtRecord(from IteratorStart) (int64, error) {
	invalid := newError(InvalidArgument, "StartingSequenceNumber is not a sequence number of %s", s.id)
	offset, err := sequenceOffset(from.SequenceNumber)
	if err != nil || from.SequenceNumber != sequenceNumber(s.index, offset) {
		return 0, invalid
	}
	if end, _ := s.spool.tail(); offset > end {
		return 0, invalid
	}
	after, err := s.after(from.SequenceNumber)
	switch {
	case errors.Is(err, errDamaged): // No record begins at the offset.
		return 0, invalid
	case err == nil && from.Type == AtSequenceNumber:
		return offset, nil
	}
	return after, err
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
	text := fmt.Sprintf("%d %d %s %s", k.Now().UnixMilli(), offset, s.id, stream)
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
	if k.Now().Sub(time.UnixMilli(issued)) > iteratorLifetime {
		return "", nil, 0, newError(ExpiredIterator, "the iterator is older than %v", iteratorLifetime)
	}
	sh, err = k.shard(parts[3], parts[2])
	return parts[3], sh, offset, err
}
