// Package tap reads the records of a stream from its Kinesis data stream.
//
// All shards are read at the same time. A shard that was split or merged is
// followed into its children, which are read when all of their parents are finished.
// So records with the same partition key arrive in order. There is no order between
// shards that are open at the same time.
package tap

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
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
	// After has the sequence number of the last record of shards that were read
	// before. They are read after this record. Other shards are read from From, or,
	// if it is zero, from their oldest record. Parents of these shards that are not
	// in After were finished before, and are not read.
	After map[string]string
}

// Read calls each with every record of the window, one call at a time. It returns
// nil at the end of the window, or the error of each, of ctx or of Kinesis. stream
// is the name of the Kinesis stream. each may keep the record.
func (r *Reader) Read(ctx context.Context, stream string, w Window, each func(Record) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t := &reading{Reader: r, stream: stream, window: w, each: each, cancel: cancel, shards: make(map[string]*shard)}
	if err := t.list(ctx); err != nil {
		return fmt.Errorf("listing the shards of %s: %w", stream, err)
	}
	if err := t.skipAncestors(); err != nil {
		return fmt.Errorf("reading %s: %w", stream, err)
	}
	t.start(ctx)
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

	mu     sync.Mutex // guards the fields below, and the calls of each
	each   func(Record) error
	shards map[string]*shard // by ID; those that are, were or will be read
}

// list adds the shards that may hold records of the window.
func (t *reading) list(ctx context.Context) error {
	from, filter := types.ShardIteratorTypeLatest, &types.ShardFilter{Type: types.ShardFilterTypeAtLatest}
	if !t.window.From.IsZero() {
		from, filter = types.ShardIteratorTypeAtTimestamp, &types.ShardFilter{Type: types.ShardFilterTypeFromTimestamp, Timestamp: &t.window.From}
	} else if len(t.window.After) > 0 {
		from = types.ShardIteratorTypeTrimHorizon
	}
	if len(t.window.After) > 0 {
		filter = nil // A shard can have been closed before From.
	}
	for in := (&kinesis.ListShardsInput{StreamName: &t.stream, ShardFilter: filter}); in != nil; {
		out, err := t.client.ListShards(ctx, in)
		if err != nil {
			return err
		}
		for _, s := range out.Shards {
			id := aws.ToString(s.ShardId)
			parents := []string{aws.ToString(s.ParentShardId), aws.ToString(s.AdjacentParentShardId)}
			t.shards[id] = &shard{reading: t, id: id, parents: parents, from: from, last: t.window.After[id]}
		}
		in = nil
		if out.NextToken != nil {
			in = &kinesis.ListShardsInput{NextToken: out.NextToken}
		}
	}
	return nil
}

// skipAncestors marks the ancestors of the shards in After as finished, unless they
// are in After too. The error is that none of the shards in After exists.
func (t *reading) skipAncestors() error {
	exists := len(t.window.After) == 0
	var skip func(s *shard)
	skip = func(s *shard) {
		for _, id := range s.parents {
			if parent := t.shards[id]; parent != nil && parent.last == "" {
				parent.state = finished
				skip(parent)
			}
		}
	}
	for id := range t.window.After {
		if s := t.shards[id]; s != nil {
			exists = true
			skip(s)
		}
	}
	if !exists {
		return fmt.Errorf("the stream has none of the shards %s", strings.Join(slices.Sorted(maps.Keys(t.window.After)), ", "))
	}
	return nil
}

// start reads the shards whose parents are finished, each in the background.
func (t *reading) start(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.shards {
		isDue := s.state == waiting && !slices.ContainsFunc(s.parents, func(id string) bool {
			return t.shards[id] != nil && t.shards[id].state != finished
		})
		if !isDue {
			continue
		}
		s.state = open
		t.wg.Go(func() {
			if err := s.read(ctx); err != nil {
				t.cancel(fmt.Errorf("reading %s of %s: %w", s.id, t.stream, err))
			}
		})
	}
}

// follow notes the end of a shard, and reads its children.
func (t *reading) follow(ctx context.Context, s *shard, children []types.ChildShard) {
	t.mu.Lock()
	s.state = finished
	for _, c := range children {
		if id := aws.ToString(c.ShardId); t.shards[id] == nil {
			t.shards[id] = &shard{reading: t, id: id, parents: c.ParentShards, from: types.ShardIteratorTypeTrimHorizon}
		}
	}
	t.mu.Unlock()
	t.start(ctx)
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
