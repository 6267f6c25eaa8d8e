package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/sink"
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

// DeliveryStream is one Firehose stream.
type DeliveryStream struct {
	// Folder is the key prefix of an object whose first record came at t.
	Folder func(t time.Time) string
	// Gzip compresses objects; their names then end in ".gz".
	Gzip bool
	// An object is written when it has BufferBytes, or when its first record is
	// BufferFor old.
	BufferBytes int64
	BufferFor   time.Duration
}

// WriteObject writes one object of the archive with what write writes, whole or
// not at all. It may be repeated.
type WriteObject func(ctx context.Context, key string, write func(io.Writer) error) error

// FirehoseOptions says which streams there are.
type FirehoseOptions struct {
	// Dir is the folder of the buffers.
	Dir string
	// Streams are the delivery streams by their AWS name.
	Streams map[string]DeliveryStream
	// Write writes an object.
	Write WriteObject
	// Now is the clock. Default time.Now.
	Now func() time.Time
	Log *slog.Logger
}

// Firehose is a Data Firehose of this process, with the real limits of Direct
// PUT. What it buffers lies in files, so that it costs no memory and outlives
// the process: the next one writes it. It is safe for concurrent use.
type Firehose struct {
	FirehoseOptions
	streams map[string]*delivery
}

var _ sink.Service = (*Firehose)(nil)

// delivery is the buffers of one stream: one that is open, and those that wait
// to be written.
type delivery struct {
	DeliveryStream
	firehose *Firehose
	name     string
	dir      string

	mu     sync.Mutex
	open   *buffer // nil until a record comes
	sealed []*buffer
	busy   bool          // a sealed buffer is being written
	wake   chan struct{} // holds one when there is something new to do
}

// OpenFirehose opens the streams with what earlier processes have buffered.
func OpenFirehose(o FirehoseOptions) (*Firehose, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &Firehose{FirehoseOptions: o, streams: make(map[string]*delivery)}
	for name, stream := range o.Streams {
		d := &delivery{DeliveryStream: stream, firehose: f, name: name, dir: filepath.Join(o.Dir, name), wake: make(chan struct{}, 1)}
		if err := os.MkdirAll(d.dir, 0o755); err != nil {
			return nil, fmt.Errorf("opening delivery stream %s: %w", name, err)
		}
		var err error
		if d.sealed, err = leftBuffers(d.dir); err != nil {
			return nil, fmt.Errorf("opening delivery stream %s: %w", name, err)
		}
		d.poke()
		f.streams[name] = d
	}
	return f, nil
}

// Put is one PutRecordBatch call. A call over a limit is refused as a whole.
func (f *Firehose) Put(ctx context.Context, stream string, entries []sink.Entry) ([]sink.Failure, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("PutRecordBatch: %w", err)
	}
	d, ok := f.streams[stream]
	if !ok {
		return nil, fmt.Errorf("PutRecordBatch: %w: no delivery stream %s", errNoStream, stream)
	}
	if err := checkPutRecordBatch(entries); err != nil {
		return nil, fmt.Errorf("PutRecordBatch: %w", err)
	}
	if err := d.put(entries); err != nil {
		return nil, fmt.Errorf("PutRecordBatch: %w", err)
	}
	return nil, nil
}

func checkPutRecordBatch(entries []sink.Entry) error {
	if n := len(entries); n < 1 || n > firehoseCallRecords {
		return fmt.Errorf("%w: %d records, want 1 to %d", errArgument, n, firehoseCallRecords)
	}
	total := 0
	for i, e := range entries {
		if len(e.Data) > firehoseRecordBytes {
			return fmt.Errorf("%w: record %d has %d bytes, want %d at most", errArgument, i, len(e.Data), firehoseRecordBytes)
		}
		total += len(e.Data)
	}
	if total > firehoseCallBytes {
		return fmt.Errorf("%w: %d bytes, want %d at most", errArgument, total, firehoseCallBytes)
	}
	return nil
}

// Run writes objects until ctx ends.
func (f *Firehose) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, d := range f.streams {
		wg.Go(func() { d.run(ctx) })
	}
	wg.Wait()
}

// Flush writes all that is buffered, whatever its age, and returns when that is
// done. Run need not run.
func (f *Firehose) Flush(ctx context.Context) error {
	errs := make([]error, 0, len(f.streams))
	for _, d := range f.streams {
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

func (d *delivery) put(entries []sink.Entry) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == nil {
		b, err := newBuffer(d.dir, d.firehose.Now())
		if err != nil {
			return err
		}
		d.open = b
		d.poke()
	}
	if err := d.open.append(entries); err != nil {
		return err
	}
	if d.open.bytes >= d.BufferBytes {
		d.sealLocked()
	}
	return nil
}

// poke has run look again. It is called with mu held, or before run.
func (d *delivery) poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// seal closes the open buffer when it is due, or in any case with now. It
// returns how long it is until then, and less than 0 when there is none.
func (d *delivery) seal(now bool) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == nil {
		return -1
	}
	left := d.BufferFor - d.firehose.Now().Sub(d.open.began)
	if now || left <= 0 {
		d.sealLocked()
		return 0
	}
	return left
}

func (d *delivery) sealLocked() {
	d.open.close()
	d.sealed = append(d.sealed, d.open)
	d.open = nil
	d.poke()
}

func (d *delivery) run(ctx context.Context) {
	for ctx.Err() == nil {
		wait := d.seal(false)
		more, err := d.deliverOne(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			d.firehose.Log.WarnContext(ctx, "object not written", "stream", d.name, "error", err)
			sleep(ctx, redeliver)
			continue
		case more:
			continue
		}
		d.pause(ctx, wait)
	}
}

// pause waits until there is something to do; with a wait of 0 or more at most
// for so long.
func (d *delivery) pause(ctx context.Context, wait time.Duration) {
	var due <-chan time.Time
	if wait >= 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
	case <-d.wake:
	case <-due:
	}
}

// deliverOne writes the oldest sealed buffer as an object. It reports whether
// more may be waiting. Of two calls at once the later one waits.
func (d *delivery) deliverOne(ctx context.Context) (more bool, err error) {
	b, err := d.take(ctx)
	if b == nil || err != nil {
		return false, err
	}
	err = b.deliver(ctx, d)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy = false
	d.poke()
	if err != nil {
		return true, fmt.Errorf("delivering to %s: %w", d.name, err)
	}
	d.sealed = d.sealed[1:]
	return true, nil
}

// take returns the oldest sealed buffer when nobody else is writing it.
func (d *delivery) take(ctx context.Context) (*buffer, error) {
	for {
		d.mu.Lock()
		if len(d.sealed) == 0 {
			d.mu.Unlock()
			return nil, nil
		}
		if !d.busy {
			d.busy = true
			b := d.sealed[0]
			d.mu.Unlock()
			return b, nil
		}
		d.mu.Unlock()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		sleep(ctx, time.Millisecond)
	}
}
