package page

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/ingest"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// watchKinesis counts the records that the tap accepts, and throttles them.
func (p *Page) watchKinesis(s sink.Service) sink.Service { return &watchedKinesis{s, p} }

type watchedKinesis struct {
	sink.Service
	page *Page
}

// Put is one PutRecords call.
func (k *watchedKinesis) Put(ctx context.Context, stream string, entries []sink.Entry) ([]sink.Failure, error) {
	if k.page.faults[drainerKilled].on() {
		return nil, errDrainerKilled
	}
	m := k.page.meter(stream)
	if m == nil {
		return k.Service.Put(ctx, stream, entries)
	}
	var refused []sink.Failure
	at := make([]int, 0, len(entries))
	for i := range entries {
		if k.page.faults[kinesisThrottled].on() && !m.valve.admit(k.page.o.Now()) {
			refused = append(refused, sink.Failure{Index: i, Err: fmt.Errorf("%w: ProvisionedThroughputExceededException", sink.ErrThrottled)})
			continue
		}
		at = append(at, i)
	}
	m.throttled.Add(int64(len(refused)))
	if len(at) == 0 {
		return refused, nil
	}
	if len(refused) > 0 {
		admitted := make([]sink.Entry, len(at))
		for i, from := range at {
			admitted[i] = entries[from]
		}
		entries = admitted
	}
	failures, err := k.Service.Put(ctx, stream, entries)
	if err != nil {
		return nil, err
	}
	m.tapped.Add(int64(len(entries) - len(failures)))
	for _, f := range failures {
		refused = append(refused, sink.Failure{Index: at[f.Index], Err: f.Err})
	}
	return refused, nil
}

// watchOutcomes counts requests, and direct records: the object of a batch can hold
// many.
func (p *Page) watchOutcomes(next func(ingest.Outcome)) func(ingest.Outcome) {
	return func(o ingest.Outcome) {
		p.answered.Add(1)
		p.nanoseconds.Add(int64(o.Took))
		if o.Refused != "" {
			p.refused.Add(1)
		}
		if m := p.meter(o.Stream); m != nil {
			for _, n := range o.Archived {
				m.direct.Add(int64(n))
			}
		}
		if next != nil {
			next(o)
		}
	}
}

// watchArchive shows direct records, and counts dead letters.
func (p *Page) watchArchive(s archive.Store) archive.Store { return &watchedArchive{s, p} }

type watchedArchive struct {
	archive.Store
	page *Page
}

// Put writes one object with dead letters, a line for each.
func (a *watchedArchive) Put(ctx context.Context, key string, body []byte) error {
	if err := a.Store.Put(ctx, key, body); err != nil {
		return err
	}
	if sent, ok := ctx.Value(bridgedKey{}).(*bridged); ok {
		sent.dead.Add(int64(bytes.Count(body, []byte{'\n'})))
	}
	return nil
}

// Create writes one direct record.
func (a *watchedArchive) Create(ctx context.Context, key string, body []byte) error {
	if err := a.Store.Create(ctx, key, body); err != nil {
		return err
	}
	name, _, _ := strings.Cut(key, "/")
	why, id, ok := strings.Cut(path.Base(key), "-")
	m := a.page.meter(name)
	if m == nil || !ok {
		return nil
	}
	if now := a.page.o.Now(); m.newest.look(now) {
		id, _, _ = strings.Cut(id, ".")
		m.newest.add(seen{ID: id, ReceivedAt: now, Direct: why}, body)
	}
	return nil
}

// watchDeliver counts the bytes of the objects that Firehose writes.
func (p *Page) watchDeliver(next cloud.WriteObject) cloud.WriteObject {
	return func(ctx context.Context, key string, write func(io.Writer) error) error {
		var written int64
		name, _, _ := strings.Cut(key, "/")
		m := p.meter(name)
		err := next(ctx, key, func(w io.Writer) error {
			c := &contentLength{w: w, gzipped: m != nil && m.stream.Load().Compression == stream.Gzip}
			err := write(c)
			written = c.length()
			return err
		})
		if err == nil && m != nil && !p.left[bufferOf(key)] {
			m.crossing.wrote(written)
		}
		return err
	}
}

// bufferOf returns the name of the buffer that became an object: the part of the
// object's name after the stream's AWS name and the version.
func bufferOf(key string) string {
	_, name, _ := strings.Cut(path.Base(key), "-1-20")
	name, _, _ = strings.Cut(name, ".") // The rest is the extension.
	return "20" + name
}

// contentLength counts the bytes that are written. For a gzip member it returns the
// decompressed size, which the last four bytes contain.
type contentLength struct {
	w       io.Writer
	gzipped bool
	total   int64
	tail    [4]byte
}

// Write writes b to the underlying writer.
func (c *contentLength) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.total += int64(n)
	last := b[max(0, n-len(c.tail)):n]
	copy(c.tail[:], c.tail[len(last):])
	copy(c.tail[len(c.tail)-len(last):], last)
	return n, err
}

func (c *contentLength) length() int64 {
	if c.gzipped && c.total > 0 {
		return int64(binary.LittleEndian.Uint32(c.tail[:]))
	}
	return c.total
}

// watchFunction counts the invocations of the bridge, and kills those of the drainer.
func (p *Page) watchFunction(function string, h cloud.Handler) cloud.Handler {
	switch function {
	case "bridge":
		return p.watchBridge(h)
	case "drainer":
		killable := func(ctx context.Context, event []byte) ([]byte, error) {
			if p.faults[drainerKilled].on() {
				return nil, errDrainerKilled
			}
			ctx, cancel := p.faults[drainerKilled].life(ctx)
			defer cancel()
			return h(ctx, event)
		}
		p.drainer = &cloud.Function{Name: p.o.Deployment + "-drainer", Timeout: time.Minute, Handler: killable}
		return killable
	}
	return h
}
