package cloud

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/backoff"
	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"
)

// maxBatchRecords is the largest batch of an event source mapping.
// https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html
const maxBatchRecords = 10_000

// MappingOptions say what a Mapping reads and what it does with the batches.
type MappingOptions struct {
	// Kinesis has the stream, named by its AWS name.
	Kinesis *Kinesis
	Stream  string
	// Function gets the batches. It may report a partial batch response
	// (ReportBatchItemFailures). FunctionARN is its ARN in the records of
	// OnFailure.
	Function    Invoker
	FunctionARN string
	// Dir has the checkpoints, in a file Name/<shard id> for each shard. The
	// default of Name is Stream.
	Dir  *os.Root
	Name string
	// BatchRecords and BatchBytes bound the event of a batch. The defaults are
	// 10,000 records and 6 MiB.
	BatchRecords, BatchBytes int
	// Window is how long a batch waits for more records.
	Window time.Duration
	// MaxRetries is how often a batch is retried before it is discarded; 0 means
	// without end. Splitting a batch is not a retry.
	MaxRetries int
	// MaxAge is the age beyond which a record that has failed is discarded; 0 means
	// never.
	MaxAge time.Duration
	// OnFailure keeps discarded batches in AWS's form.
	OnFailure archive.Store
	// Memory is shared by mappings whose events together must fit into memory. It
	// must admit one event of BatchBytes. Nil: no bound.
	Memory *semaphore.Weighted
	// Backoff is the wait after the first failure. It doubles with each further
	// failure in a row, up to 50 times its value. The default is 100 ms.
	Backoff time.Duration
	// Now is the clock. The default is time.Now.
	Now func() time.Time
	Log *slog.Logger
}

// Mapping is an event source mapping from one Kinesis stream to a function. It
// reads each shard in order, and goes on after a batch only when the function has
// accepted the batch or OnFailure has kept it. A batch that fails is split in two.
// When the function accepts a part of a batch, only the rest is retried. Delivery
// is at least once: a batch that was accepted just before the process was killed
// is delivered again.
type Mapping struct {
	MappingOptions
	id      string
	pollers []*poller
}

// OpenMapping returns a mapping that begins after the checkpoints in Dir, and at
// TRIM_HORIZON of a shard without a checkpoint.
func OpenMapping(o MappingOptions) (*Mapping, error) {
	if o.Name == "" {
		o.Name = o.Stream
	}
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
	if err := o.Dir.MkdirAll(o.Name, 0o700); err != nil {
		return nil, fmt.Errorf("opening mapping of %s: %w", o.Stream, err)
	}
	m := &Mapping{MappingOptions: o}
	// AWS chooses a random id. This one is the same after each start.
	m.id = uuid.NewSHA1(uuid.NameSpaceURL, []byte(StreamARN(o.Stream))).String()
	s, err := o.Kinesis.stream(o.Stream)
	if err != nil {
		return nil, fmt.Errorf("opening mapping of %s: %w", o.Stream, err)
	}
	for _, sh := range s.all {
		p, err := m.openPoller(sh)
		if err != nil {
			return nil, fmt.Errorf("opening mapping of %s: %w", o.Stream, err)
		}
		m.pollers = append(m.pollers, p)
	}
	return m, nil
}

func (m *Mapping) openPoller(sh *shard) (*poller, error) {
	p := &poller{mapping: m, shard: sh, checkpoint: m.Name + "/" + sh.id}
	text, err := m.Dir.ReadFile(p.checkpoint)
	if errors.Is(err, fs.ErrNotExist) {
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
	if end, _ := sh.spool.tail(); offset >= end {
		// The stream's folder was removed, and the checkpoint was not.
		m.Log.Warn("the checkpoint is beyond the end of the shard; starting at its beginning", "stream", m.Stream, "shard", sh.id)
		return p, nil
	}
	position, err := sh.after(sequence)
	if err != nil {
		return nil, fmt.Errorf("reading checkpoint %s: %w", p.checkpoint, err)
	}
	p.position.Store(position)
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

// Behind is the number of bytes in the stream that the function has not accepted.
func (m *Mapping) Behind() int64 {
	var behind int64
	for _, p := range m.pollers {
		end, _ := p.shard.spool.tail()
		behind += end - p.position.Load()
	}
	return behind
}

// Waiting is the number of records in the stream that the function has not accepted. It
// reads them all.
func (m *Mapping) Waiting() (records int64, err error) {
	for _, p := range m.pollers {
		n, err := p.waiting()
		if err != nil {
			return 0, fmt.Errorf("counting the records of %s: %w", m.Stream, err)
		}
		records += n
	}
	return records, nil
}

func (p *poller) waiting() (records int64, err error) {
	r := p.shard.readFrom(p.position.Load())
	defer r.close()
	for {
		if _, _, ok, err := r.next(); err != nil || !ok {
			return records, err
		}
		records++
	}
}

// Lag is the age of the oldest record that the function has not accepted; 0 if it has
// accepted all records.
func (m *Mapping) Lag() (time.Duration, error) {
	var lag time.Duration
	for _, p := range m.pollers {
		r := p.shard.readFrom(p.position.Load())
		record, _, ok, err := r.next()
		r.close()
		if err != nil {
			return 0, err
		}
		if ok {
			lag = max(lag, m.Now().Sub(record.ArrivedAt))
		}
	}
	return lag, nil
}

// poller reads one shard.
type poller struct {
	mapping    *Mapping
	shard      *shard
	checkpoint string
	position   atomic.Int64 // offset of the first record that is not delivered
	todo       []part       // the parts of the current batch, the next one last
	failures   int          // in a row
}

// part is a part of a batch: up to records records from offset on.
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
				backoff.Sleep(ctx, p.mapping.Window)
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
	backoff.Sleep(ctx, min(p.mapping.Backoff<<min(p.failures-1, 6), 50*p.mapping.Backoff))
}

// read returns the event of a part, of at most maxBytes.
func (p *poller) read(what part, maxBytes int) (*kinesisEvent, error) {
	r := p.shard.readFrom(what.offset)
	defer r.close()
	end, _ := p.shard.spool.tail()
	e := &kinesisEvent{streamARN: StreamARN(p.mapping.Stream)}
	e.json = make([]byte, 0, min(int64(maxBytes), 4096+(end-what.offset)*3/2))
	for len(e.batch) < what.records {
		record, offset, ok, err := r.next()
		if err != nil {
			return nil, err
		}
		if !ok || !e.add(p.shard.id, record, offset, r.position(), maxBytes) {
			break
		}
	}
	return e, nil
}

// passed records that all records up to r have been delivered or kept.
func (p *poller) passed(r batchRecord) error {
	if err := replaceFile(p.mapping.Dir, p.checkpoint, []byte(r.sequence+"\n")); err != nil {
		return fmt.Errorf("writing checkpoint: %w", err)
	}
	p.position.Store(r.next)
	return p.shard.spool.trim(r.next, keptForTaps)
}

// replaceFile replaces a small file atomically.
func replaceFile(root *os.Root, path string, content []byte) error {
	if err := root.WriteFile(path+".new", content, 0o600); err != nil {
		return err
	}
	return root.Rename(path+".new", path)
}
