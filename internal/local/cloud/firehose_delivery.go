package cloud

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/backoff"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// deliveryStream has the buffers of one delivery stream: one that takes records,
// and sealed ones that wait to be written.
type deliveryStream struct {
	firehose *Firehose
	name     string
	writing  chan struct{} // holds a value while a sealed buffer is being written
	wake     chan struct{} // holds a value when run has something to do

	mu sync.Mutex // guards what follows
	DeliveryStream
	open   *buffer // nil until a record arrives
	sealed []*buffer
	// accepted is the number of bytes of records that calls have put since the delivery
	// stream was opened. written is how many of these bytes are in objects.
	accepted, written int64
}

func (d *deliveryStream) configure(stream DeliveryStream) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.DeliveryStream = stream
}

func (d *deliveryStream) put(entries []sink.Entry) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == nil {
		b, err := newBuffer(d.firehose.Dir, d.name, d.firehose.Now())
		if err != nil {
			return err
		}
		d.open = b
		d.poke()
	}
	before := d.open.bytes
	if err := d.open.append(entries); err != nil {
		return err
	}
	d.accepted += d.open.bytes - before
	if d.open.bytes >= d.BufferBytes {
		d.sealLocked()
	}
	return nil
}

// poke wakes run.
func (d *deliveryStream) poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// seal seals the open buffer when it is due, or in any case if now is true. It
// returns the time until the buffer is due, or -1 when nothing becomes due.
func (d *deliveryStream) seal(now bool) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == nil || d.BufferFor == 0 && !now {
		return -1
	}
	left := d.BufferFor - d.firehose.Now().Sub(d.open.began)
	if now || left <= 0 {
		d.sealLocked()
		return 0
	}
	return left
}

func (d *deliveryStream) sealLocked() {
	d.open.close()
	d.sealed = append(d.sealed, d.open)
	d.open = nil
	d.poke()
}

// Freshness is the age of the oldest buffer of a delivery stream; 0 if no record is
// buffered.
func (f *Firehose) Freshness(stream string) time.Duration {
	d := f.stream(stream)
	if d == nil {
		return 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case len(d.sealed) > 0:
		return f.Now().Sub(d.sealed[0].began)
	case d.open != nil:
		return f.Now().Sub(d.open.began)
	}
	return 0
}

// Progress returns the number of bytes of records that a delivery stream has accepted
// since it was opened, and how many of them are in objects. Objects have the records in
// the order in which they were accepted. The buffers of an earlier process do not count.
func (f *Firehose) Progress(stream string) (accepted, written int64) {
	d := f.stream(stream)
	if d == nil {
		return 0, 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.accepted, d.written
}

// run writes objects until ctx ends.
func (d *deliveryStream) run(ctx context.Context) {
	for ctx.Err() == nil {
		wait := d.seal(false)
		more, err := d.deliverOne(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			d.firehose.Log.WarnContext(ctx, "object not written", "stream", d.name, "error", err)
			backoff.Sleep(ctx, redeliver)
			continue
		case more:
			continue
		}
		d.pause(ctx, wait)
	}
}

// pause waits until run has something to do. A wait of 0 or more bounds the pause.
func (d *deliveryStream) pause(ctx context.Context, wait time.Duration) {
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
// more buffers may wait. A call waits while another call is writing.
func (d *deliveryStream) deliverOne(ctx context.Context) (more bool, err error) {
	select {
	case d.writing <- struct{}{}:
		defer func() { <-d.writing }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	b, to := d.oldest()
	if b == nil {
		return false, nil
	}
	if err := b.deliver(ctx, d.firehose.Write, d.name, to); err != nil {
		return true, fmt.Errorf("delivering to %s: %w", d.name, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sealed = d.sealed[1:]
	d.written += b.bytes
	return true, nil
}

// oldest returns the oldest sealed buffer, or nil.
func (d *deliveryStream) oldest() (*buffer, DeliveryStream) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.sealed) == 0 {
		return nil, DeliveryStream{}
	}
	return d.sealed[0], d.DeliveryStream
}
