package tap

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/data-sink/data-sink/internal/pipeline/backoff"
)

// shard is the position in one shard.
type shard struct {
	*reading
	id      string
	parents []string // by ID; an ID can be empty
	from    types.ShardIteratorType
	last    string // sequence number of the last record; "" before the first record
	state   state  // The reading's mu guards it.
}

// state is the progress in a shard.
type state int

const (
	waiting state = iota
	open
	finished
)

// read reads the shard until the end of the shard, of the window or of ctx.
func (s *shard) read(ctx context.Context) error {
	iterator, err := s.iterator(ctx)
	for err == nil && iterator != nil {
		var out *kinesis.GetRecordsOutput
		var expired *types.ExpiredIteratorException
		out, err = s.client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator})
		switch {
		case errors.As(err, &expired):
			iterator, err = s.iterator(ctx)
			continue
		case isThrottled(err):
			backoff.Sleep(ctx, pauseRefused)
			err = context.Cause(ctx)
			continue
		case err != nil:
			return err
		}
		passed, err := s.give(ctx, out.Records)
		if err != nil || passed {
			return err
		}
		iterator = out.NextShardIterator
		if iterator == nil {
			s.follow(ctx, s, out.ChildShards)
			return nil
		}
		wait := pauseBehind
		if aws.ToInt64(out.MillisBehindLatest) == 0 {
			if s.isOver() {
				return nil
			}
			wait = pauseAtEnd
		}
		if !backoff.Sleep(ctx, wait) {
			return context.Cause(ctx)
		}
	}
	return err
}

// iterator returns an iterator behind the last record.
func (s *shard) iterator(ctx context.Context) (*string, error) {
	in := &kinesis.GetShardIteratorInput{StreamName: &s.stream, ShardId: &s.id, ShardIteratorType: s.from}
	switch {
	case s.last != "":
		in.ShardIteratorType, in.StartingSequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, &s.last
	case s.from == types.ShardIteratorTypeAtTimestamp:
		in.Timestamp = &s.window.From
	}
	for {
		out, err := s.client.GetShardIterator(ctx, in)
		if err == nil {
			return out.ShardIterator, nil
		}
		if !isThrottled(err) {
			return nil, err
		}
		if !backoff.Sleep(ctx, pauseRefused) {
			return nil, context.Cause(ctx)
		}
	}
}

// give gives records to the reading, and reports whether the window has passed.
func (s *shard) give(ctx context.Context, records []types.Record) (passed bool, err error) {
	for _, r := range records {
		arrived := aws.ToTime(r.ApproximateArrivalTimestamp)
		if !s.window.Until.IsZero() && !arrived.Before(s.window.Until) {
			return true, nil
		}
		s.last = aws.ToString(r.SequenceNumber)
		if arrived.Before(s.window.From) {
			continue // the children of a shard are read from their beginning
		}
		err := s.reading.give(ctx, Record{
			Shard: s.id, Sequence: s.last, PartitionKey: aws.ToString(r.PartitionKey), ArrivedAt: arrived, Body: r.Data,
		})
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// isOver reports whether no record of the window can arrive any more.
func (s *shard) isOver() bool {
	return !s.window.Until.IsZero() && !s.now().Before(s.window.Until)
}
