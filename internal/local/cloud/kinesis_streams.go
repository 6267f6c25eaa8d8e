package cloud

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// StreamOptionsOf returns the options of a stream's Kinesis stream. A stream without a
// tap gets one open shard, from which the records of an earlier tap are read.
func StreamOptionsOf(s stream.Stream) StreamOptions {
	if s.Capacity == stream.OnDemand {
		return StreamOptions{Shards: onDemandShards, OnDemand: true, RetentionHours: s.RetentionHours}
	}
	return StreamOptions{Shards: max(s.Shards, 1), RetentionHours: s.RetentionHours}
}

// NewKinesis returns a Kinesis without streams.
func NewKinesis(o KinesisOptions) *Kinesis {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Kinesis{KinesisOptions: o, streams: make(map[string]*kinesisStream)}
}

// Open adds a stream by its AWS name, with the records that earlier processes left. It
// does nothing if the stream is open.
func (k *Kinesis) Open(name string, o StreamOptions) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.streams[name] != nil {
		return nil
	}
	if o.RetentionHours == 0 {
		o.RetentionHours = 24
	}
	s := &kinesisStream{StreamOptions: o, name: name, created: k.Now()}
	for i := 0; ; i++ {
		id := fmt.Sprintf("shardId-%012d", i)
		dir := name + "/" + id
		if i >= o.Shards {
			if _, err := k.Dir.Stat(dir); errors.Is(err, fs.ErrNotExist) {
				break
			}
		}
		records, err := openSpool(k.Dir, dir)
		if err != nil {
			return fmt.Errorf("opening shard %d of %s: %w", i, name, err)
		}
		sh := &shard{id: id, index: i, spool: records, closed: i >= o.Shards}
		if k.Throttle {
			sh.writes = newRateLimit(kinesisShardRecords, kinesisShardBytes, k.Now)
			sh.reads = newRateLimit(readsPerSecond, readBytesPerSecond, k.Now)
		}
		s.all = append(s.all, sh)
	}
	s.open = s.all[:o.Shards]
	k.streams[name] = s
	return nil
}

func (k *Kinesis) stream(name string) (*kinesisStream, error) {
	if name == "" {
		return nil, newError(InvalidArgument, "StreamName or StreamARN is required")
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	if s := k.streams[name]; s != nil {
		return s, nil
	}
	return nil, newError(ResourceNotFound, "Stream %s under account %s not found.", name, Account)
}

// Close closes the files of all shards.
func (k *Kinesis) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var errs []error
	for _, s := range k.streams {
		for _, sh := range s.all {
			errs = append(errs, sh.spool.close())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing Kinesis: %w", err)
	}
	return nil
}

// names returns the names of all streams, sorted.
func (k *Kinesis) names() []string {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return slices.Sorted(maps.Keys(k.streams))
}

// StreamARN is the ARN of a stream.
func StreamARN(stream string) string {
	return "arn:aws:kinesis:" + Region + ":" + Account + ":stream/" + stream
}
