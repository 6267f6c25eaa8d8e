package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"
)

// The largest batch of an event source mapping.
// https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html
const maxBatchRecords = 10_000

// MappingOptions says what a Mapping reads and what it does with it.
type MappingOptions struct {
	// Kinesis has the stream of that AWS name.
	Kinesis *Kinesis
	Stream  string
	// Function gets the batches, by its Invoke, and is asked for partial
	// responses (ReportBatchItemFailures).
	Function *Function
	// Dir is the folder of the checkpoints, a file for each shard.
	Dir string
	// BatchRecords and BatchBytes bound the event of a batch. Default 10,000
	// records, 6 MiB.
	BatchRecords, BatchBytes int
	// Window is how long a batch waits to fill.
	Window time.Duration
	// MaxRetries is how often a batch is tried again before it is given up; 0
	// for ever. Splitting a batch is no retry.
	MaxRetries int
	// MaxAge is the age past which a record that was tried is given up; 0 never.
	MaxAge time.Duration
	// OnFailure gets the batches that are given up, in AWS' own form.
	OnFailure archive.Store
	// Memory is shared by the mappings that must not hold more than so many
	// bytes of events at once; it must admit one of BatchBytes. Nil: no bound.
	Memory *semaphore.Weighted
	// Backoff is the wait after a first failure; it doubles with each in a row
	// up to 50 times that. Default 100 ms.
	Backoff time.Duration
	// Now is the clock. Default time.Now.
	Now func() time.Time
	Log *slog.Logger
}

// Mapping is an event source mapping from one Kinesis stream to a function: it
// reads each shard in order, and goes on behind a batch only when the function
// has taken it, or when it was given up and kept by OnFailure. A batch that the
// function fails is split in two; of one that it takes in part only the rest is
// tried again. Delivery is at least once: what was taken right before the
// process was killed comes again.
type Mapping struct {
	MappingOptions
	id      string
	pollers []*poller
}

// OpenMapping returns a mapping that begins where the checkpoints in Dir stand,
// and at TRIM_HORIZON on a shard that has none.
func OpenMapping(o MappingOptions) (*Mapping, error) {
	if o.BatchRecords == 0 {
		o.BatchRecords = maxBatchRecords
	}
	if o.BatchBytes == 0 {
		o.BatchBytes = maxEventBytes
	}
	if o.Backoff == 0 {
		o.Backoff = 100 * time.Millisecond
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("opening mapping of %s: %w", o.Stream, err)
	}
	m := &Mapping{MappingOptions: o}
	// AWS chooses the id; here it stays the same for a stream.
	m.id = uuid.NewSHA1(uuid.NameSpaceURL, []byte(kinesisARN(o.Stream))).String()
	for _, id := range o.Kinesis.ShardIDs(o.Stream) {
		p, err := m.openPoller(id)
		if err != nil {
			return nil, fmt.Errorf("opening mapping of %s: %w", o.Stream, err)
		}
		m.pollers = append(m.pollers, p)
	}
	return m, nil
}

func (m *Mapping) openPoller(shardID string) (*poller, error) {
	p := &poller{mapping: m, checkpoint: filepath.Join(m.Dir, shardID)}
	var err error
	if p.shard, err = m.Kinesis.shard(m.Stream, shardID); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(p.checkpoint)
	if errors.Is(err, os.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading checkpoint: %w", err)
	}
	sequence := strings.TrimSpace(string(text))
	offset, err := sequenceOffset(sequence)
	if err != nil {
		return nil, fmt.Errorf("reading checkpoint %s: %w", p.checkpoint, err)
	}
	if end, _ := p.shard.spool.tail(); offset >= end {
		// Somebody has removed the stream's folder and left this one.
		m.Log.Warn("checkpoint is of another stream; starting at its beginning", "stream", m.Stream, "shard", shardID)
		return p, nil
	}
	it, err := m.Kinesis.Iterate(m.Stream, shardID, sequence)
	if err != nil {
		return nil, fmt.Errorf("reading checkpoint %s: %w", p.checkpoint, err)
	}
	defer it.Close()
	p.position.Store(it.reader.offset)
	return p, nil
}

// Run reads all shards until ctx ends.
func (m *Mapping) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, p := range m.pollers {
		wg.Go(func() { p.run(ctx) })
	}
	wg.Wait()
}

// Behind is the number of bytes in the stream that the function has not taken.
func (m *Mapping) Behind() int64 {
	var behind int64
	for _, p := range m.pollers {
		end, _ := p.shard.spool.tail()
		behind += end - p.position.Load()
	}
	return behind
}

// poller reads one shard.
type poller struct {
	mapping    *Mapping
	shard      *shard
	checkpoint string
	position   atomic.Int64 // offset of the first record that was not taken
	todo       []part       // of the batch in hand, the next one last
	failures   int          // in a row
}

// part is a part of a batch: so many records, or all that fit, from offset on.
type part struct {
	offset  int64
	records int
	retries int
}

func (p *poller) run(ctx context.Context) {
	for ctx.Err() == nil {
		if len(p.todo) == 0 {
			if !p.await(ctx) {
				return
			}
			p.todo = append(p.todo, part{offset: p.position.Load(), records: p.mapping.BatchRecords})
		}
		if err := p.step(ctx); err != nil && ctx.Err() == nil {
			p.failures++
			p.mapping.Log.WarnContext(ctx, "batch failed", "stream", p.mapping.Stream, "shard", p.shard.id, "failures", p.failures, "error", err)
			p.backOff(ctx)
		}
	}
}

// await waits for a record, and then for the batch to fill.
func (p *poller) await(ctx context.Context) bool {
	for {
		end, grown := p.shard.spool.tail()
		if waiting := end - p.position.Load(); waiting > 0 {
			if waiting < int64(p.mapping.BatchBytes)/2 {
				sleep(ctx, p.mapping.Window)
			}
			return ctx.Err() == nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-grown:
		}
	}
}

func (p *poller) backOff(ctx context.Context) {
	sleep(ctx, min(p.mapping.Backoff<<min(p.failures-1, 6), 50*p.mapping.Backoff))
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// read builds the event of a part, of at most maxBytes.
func (p *poller) read(what part, maxBytes int) (*kinesisEvent, error) {
	it := p.shard.iterate(what.offset)
	defer it.Close()
	end, _ := p.shard.spool.tail()
	e := &kinesisEvent{streamARN: kinesisARN(p.mapping.Stream)}
	e.json = make([]byte, 0, min(int64(maxBytes), 4096+(end-what.offset)*3/2))
	for len(e.batch) < what.records {
		offset := it.reader.offset
		r, ok, err := it.Next()
		if err != nil {
			return nil, err
		}
		if !ok || !e.add(p.shard.id, r, offset, it.reader.offset, maxBytes) {
			break
		}
	}
	return e, nil
}
