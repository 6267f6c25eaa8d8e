// Package tap reads the records of a stream from its Kinesis data stream.
//
// All shards are read at the same time. A shard that was split or merged is
// followed into its children. Records arrive in the order of their shard; there is
// no order between shards.
package tap

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// Record is one record of the tap.
type Record struct {
	// Shard and Sequence identify the record within its stream.
	Shard, Sequence string
	PartitionKey    string
	// ArrivedAt is when Kinesis received the record, in whole milliseconds.
	ArrivedAt time.Time
	// Body is the record's body and nothing else.
	Body []byte
}

type kinesisAPI interface {
	ListShards(context.Context, *kinesis.ListShardsInput, ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error)
	GetShardIterator(context.Context, *kinesis.GetShardIteratorInput, ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error)
	GetRecords(context.Context, *kinesis.GetRecordsInput, ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error)
}

var _ kinesisAPI = (*kinesis.Client)(nil)

// The pauses between two reads of a shard. A shard allows five reads a second for
// all its readers. The bridge uses one of them.
// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
const (
	pauseBehind = 250 * time.Millisecond
	pauseAtEnd  = time.Second
	// pauseRefused follows a read that was throttled.
	pauseRefused = 2 * time.Second
)

// Reader reads Kinesis streams. It is safe for concurrent use.
type Reader struct {
	client kinesisAPI
	now    func() time.Time
}

// New returns a Reader. It does not change the retries of the client.
func New(client kinesisAPI) *Reader { return &Reader{client: client, now: time.Now} }

// NewFromConfig returns a Reader with a client of its own.
func NewFromConfig(cfg aws.Config) *Reader { return New(kinesis.NewFromConfig(cfg)) }

// Window is a period, by the arrival of records in Kinesis.
type Window struct {
	// From is the beginning. If it is zero, only records that arrive from now on are
	// read. Records older than the stream's retention are gone.
	From time.Time
	// Until is the end. If it is zero, there is no end.
	Until time.Time
}

// Read calls each with every record of the window, one call at a time. It returns
// nil at the end of the window, or the error of each, of ctx or of Kinesis. stream
// is the name of the Kinesis stream. each may keep the record.
func (r *Reader) Read(ctx context.Context, stream string, w Window, each func(Record) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t := &reading{Reader: r, stream: stream, window: w, each: each, cancel: cancel, known: make(map[string]bool)}
	shards, err := t.shards(ctx)
	if err != nil {
		return fmt.Errorf("listing the shards of %s: %w", stream, err)
	}
	first := types.ShardIteratorTypeLatest
	if !w.From.IsZero() {
		first = types.ShardIteratorTypeAtTimestamp
	}
	for _, id := range shards {
		t.start(ctx, id, first)
	}
	t.wg.Wait()
	return context.Cause(ctx)
}

// reading is one Read.
type reading struct {
	*Reader
	stream string
	window Window
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup

	mu    sync.Mutex // guards the fields below, and the calls of each
	each  func(Record) error
	known map[string]bool // the shards that are or were read
}

// shards lists the shards that may hold records of the window.
func (t *reading) shards(ctx context.Context) ([]string, error) {
	in := &kinesis.ListShardsInput{StreamName: &t.stream, ShardFilter: &types.ShardFilter{Type: types.ShardFilterTypeAtLatest}}
	if !t.window.From.IsZero() {
		in.ShardFilter = &types.ShardFilter{Type: types.ShardFilterTypeFromTimestamp, Timestamp: &t.window.From}
	}
	var ids []string
	for {
		out, err := t.client.ListShards(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, s := range out.Shards {
			ids = append(ids, aws.ToString(s.ShardId))
		}
		if out.NextToken == nil {
			return ids, nil
		}
		in = &kinesis.ListShardsInput{NextToken: out.NextToken}
	}
}

// start reads a shard in the background, unless it is or was read already.
func (t *reading) start(ctx context.Context, id string, from types.ShardIteratorType) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known[id] {
		return
	}
	t.known[id] = true
	t.wg.Go(func() {
		s := &shard{reading: t, id: id, from: from}
		if err := s.read(ctx); err != nil {
			t.cancel(fmt.Errorf("reading %s of %s: %w", id, t.stream, err))
		}
	})
}

// give calls each with a record. After the first error each is not called again.
func (t *reading) give(ctx context.Context, r Record) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := t.each(r); err != nil {
		t.cancel(err)
		return err
	}
	return nil
}

// isThrottled reports whether Kinesis refused a call because of its rate.
func isThrottled(err error) bool {
	var rate *types.ProvisionedThroughputExceededException
	var limit *types.LimitExceededException
	var kms *types.KMSThrottlingException
	return errors.As(err, &rate) || errors.As(err, &limit) || errors.As(err, &kms)
}
