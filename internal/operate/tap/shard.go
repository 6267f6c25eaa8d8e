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
	for err == nil {
		out, refused := unthrottled(ctx, func() (*kinesis.GetRecordsOutput, error) {
			return s.client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator})
		})
		var expired *types.ExpiredIteratorException
		if errors.As(refused, &expired) {
			iterator, err = s.iterator(ctx)
			continue
		}
		if refused != nil {
			return refused
		}
		if passed, err := s.give(ctx, out.Records); err != nil || passed {
			return err
		}
		if iterator = out.NextShardIterator; iterator == nil {
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
	out, err := unthrottled(ctx, func() (*kinesis.GetShardIteratorOutput, error) { return s.client.GetShardIterator(ctx, in) })
	if err != nil {
		return nil, err
	}
	return out.ShardIterator, nil
}

// unthrottled repeats a call until Kinesis does not refuse it because of its rate.
func unthrottled[T any](ctx context.Context, call func() (T, error)) (T, error) {
	for {
		out, err := call()
		if !isThrottled(err) {
			return out, err
		}
		if !backoff.Sleep(ctx, pauseRefused) {
			return out, context.Cause(ctx)
		}
	}
}

// isThrottled reports whether Kinesis refused a call because of its rate.
func isThrottled(err error) bool {
	var rate *types.ProvisionedThroughputExceededException
	var limit *types.LimitExceededException
	var kms *types.KMSThrottlingException
	return errors.As(err, &rate) || errors.As(err, &limit) || errors.As(err, &kms)
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
