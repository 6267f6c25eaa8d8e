package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// The quotas of Firehose PutRecordBatch.
// https://docs.aws.amazon.com/firehose/latest/dev/limits.html
const (
	firehoseCallRecords = 500
	firehoseCallBytes   = 4 << 20
	firehoseRecordBytes = 1_024_000
)

// redeliver is the wait after an object could not be written.
const redeliver = time.Second

// DeliveryStream is the configuration of one delivery stream.
type DeliveryStream struct {
	// Folder returns the key prefix of an object whose first record arrived at t.
	Folder func(t time.Time) string
	// Gzip compresses objects. Suffix ends their keys.
	Gzip   bool
	Suffix string
	// An object is written when its records have BufferBytes, or when its first
	// record is BufferFor old. A BufferFor of 0 writes by size and by Flush only.
	BufferBytes int64
	BufferFor   time.Duration
}

// DeliveryStreamOf returns the configuration of a stream's delivery stream.
func DeliveryStreamOf(s stream.Stream) DeliveryStream {
	return DeliveryStream{
		Folder: s.Folder, Gzip: s.Compression == stream.Gzip, Suffix: s.Suffix(),
		BufferBytes: int64(s.BufferMiB) << 20, BufferFor: time.Duration(s.BufferSeconds) * time.Second,
	}
}

// WriteObject writes one object of the archive with the bytes that write writes,
// completely or not at all. It may be repeated.
type WriteObject func(ctx context.Context, key string, write func(io.Writer) error) error

// FirehoseOptions say how a Firehose behaves.
type FirehoseOptions struct {
	// Dir has a folder of buffers for each delivery stream.
	Dir *os.Root
	// Write writes an object.
	Write WriteObject
	// Faults may be nil.
	Faults *Faults
	// Now is the clock. The default is time.Now.
	Now func() time.Time
	Log *slog.Logger
}

// Firehose is Data Firehose with Direct PUT. It buffers records in files. The
// next process writes what this one has buffered. It is safe for concurrent use.
type Firehose struct {
	FirehoseOptions

	mu      sync.Mutex // guards what follows
	streams map[string]*deliveryStream
	opened  chan struct{} // is closed when a delivery stream has been opened
}

var _ sink.Service = (*Firehose)(nil)

// NewFirehose returns a Firehose without delivery streams.
func NewFirehose(o FirehoseOptions) *Firehose {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Firehose{FirehoseOptions: o, streams: make(map[string]*deliveryStream), opened: make(chan struct{})}
}

// Open adds a delivery stream by its AWS name, with the buffers that earlier processes
// left. It changes the configuration of an open one from its next buffer on.
func (f *Firehose) Open(name string, stream DeliveryStream) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d := f.streams[name]; d != nil {
		d.configure(stream)
		return nil
	}
	if err := f.Dir.MkdirAll(name, 0o700); err != nil {
		return fmt.Errorf("opening delivery stream %s: %w", name, err)
	}
	left, err := leftBuffers(f.Dir, name)
	if err != nil {
		return fmt.Errorf("opening delivery stream %s: %w", name, err)
	}
	d := &deliveryStream{DeliveryStream: stream, firehose: f, name: name, sealed: left}
	d.writing, d.wake = make(chan struct{}, 1), make(chan struct{}, 1)
	f.streams[name] = d
	close(f.opened)
	f.opened = make(chan struct{})
	return nil
}

func (f *Firehose) stream(name string) *deliveryStream {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.streams[name]
}

// all returns the delivery streams, and a channel that is closed when there are
// more.
func (f *Firehose) all() ([]*deliveryStream, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Values(f.streams)), f.opened
}

// PutRecordBatch buffers entries and returns a result for each. A call over a
// limit is refused as a whole.
func (f *Firehose) PutRecordBatch(ctx context.Context, stream string, entries []sink.Entry) (results []PutResult, err error) {
	c := Call{Service: ServiceFirehose, Operation: "PutRecordBatch", Resource: stream, Records: len(entries)}
	err = f.Faults.call(ctx, c, func(throttled func() bool) (stored int, err error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		d := f.stream(stream)
		if d == nil {
			return 0, newError(ResourceNotFound, "no delivery stream %s", stream)
		}
		if err := f.check(entries); err != nil {
			return 0, err
		}
		results = make([]PutResult, len(entries))
		kept := make([]sink.Entry, 0, len(entries))
		for i, e := range entries {
			if throttled() {
				results[i].Err = newError(ServiceUnavailable, "Slow down.")
				continue
			}
			if f.Faults.refused(e.Data) {
				results[i].Err = newError(InternalFailure, "refused by the test")
				continue
			}
			results[i].ID = strconv.Itoa(i + 1)
			kept = append(kept, e)
			stored += f.Faults.count(e.Data)
		}
		if len(kept) == 0 {
			return 0, nil
		}
		if err := d.put(kept); err != nil {
			return 0, err
		}
		return stored, nil
	})
	if err != nil {
		return nil, fmt.Errorf("PutRecordBatch: %w", err)
	}
	return results, nil
}

// Put is PutRecordBatch for the pipeline's writer.
func (f *Firehose) Put(ctx context.Context, stream string, entries []sink.Entry) ([]sink.Failure, error) {
	results, err := f.PutRecordBatch(ctx, stream, entries)
	if err != nil {
		return nil, err
	}
	return failures(results), nil
}

func (f *Firehose) check(entries []sink.Entry) error {
	if n := len(entries); n < 1 || n > firehoseCallRecords {
		return newError(InvalidArgument, "%d records, want 1 to %d", n, firehoseCallRecords)
	}
	total := 0
	for i, e := range entries {
		if len(e.Data) > firehoseRecordBytes {
			return newError(InvalidArgument, "record %d has %d bytes, want %d at most", i, len(e.Data), firehoseRecordBytes)
		}
		if f.Faults.invalid(ServiceFirehose, e) {
			return newError(InvalidArgument, "record %d is refused by the test", i)
		}
		total += len(e.Data)
	}
	if total > firehoseCallBytes {
		return newError(InvalidArgument, "%d bytes, want %d at most", total, firehoseCallBytes)
	}
	return nil
}

// Run writes objects until ctx ends.
func (f *Firehose) Run(ctx context.Context) {
	var wg sync.WaitGroup
	running := make(map[*deliveryStream]bool)
	for ctx.Err() == nil {
		all, opened := f.all()
		for _, d := range all {
			if !running[d] {
				running[d] = true
				wg.Go(func() { d.run(ctx) })
			}
		}
		select {
		case <-ctx.Done():
		case <-opened:
		}
	}
	wg.Wait()
}

// Flush writes all buffered records, whatever their age, and returns when they
// are written. Run need not run.
func (f *Firehose) Flush(ctx context.Context) error {
	all, _ := f.all()
	errs := make([]error, 0, len(all))
	for _, d := range all {
		d.seal(true)
		for {
			more, err := d.deliverOne(ctx)
			if err != nil {
				errs = append(errs, err)
				break
			}
			if !more {
				break
			}
		}
	}
	return errors.Join(errs...)
}
