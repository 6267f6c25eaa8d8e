package page

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// watchKinesis counts what the tap takes, and throttles.
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
	m := k.page.byName[stream]
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

// watchArchive counts what goes straight to the archive.
func (p *Page) watchArchive(s archive.Store) archive.Store { return &watchedArchive{s, p} }

type watchedArchive struct {
	archive.Store
	page *Page
}

// Create writes one direct record.
func (a *watchedArchive) Create(ctx context.Context, key string, body []byte) error {
	if err := a.Store.Create(ctx, key, body); err != nil {
		return err
	}
	name, _, _ := strings.Cut(key, "/")
	why, id, ok := strings.Cut(path.Base(key), "-")
	m := a.page.byName[name]
	if m == nil || !ok {
		return nil
	}
	m.straight.Add(1)
	if now := a.page.o.Now(); m.newest.look(now) {
		id, _, _ = strings.Cut(id, ".")
		m.newest.add(seen{ID: id, ReceivedAt: now, Direct: why}, body)
	}
	return nil
}

// watchDeliver counts the bytes in the objects that Firehose writes.
func (p *Page) watchDeliver(next local.WriteObject) local.WriteObject {
	return func(ctx context.Context, key string, write func(io.Writer) error) error {
		var written int64
		name, _, _ := strings.Cut(key, "/")
		m := p.byName[name]
		err := next(ctx, key, func(w io.Writer) error {
			c := &contentLength{w: w, gzipped: m != nil && m.stream.Compression == stream.Gzip}
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

// bufferOf is the name of the buffer that an object was: what follows the stream's
// AWS name and the version.
func bufferOf(key string) string {
	_, name, _ := strings.Cut(path.Base(key), "-1-20")
	return "20" + strings.TrimSuffix(name, ".gz")
}

// contentLength counts what is written, of one gzip member what is inside: its
// last four bytes say that.
type contentLength struct {
	w       io.Writer
	gzipped bool
	total   int64
	tail    [4]byte
}

// Write passes b on.
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

// watchFunction counts the invocations of ingest and of the bridge, and kills the
// drainer.
func (p *Page) watchFunction(function string, h local.Handler) local.Handler {
	switch function {
	case "ingest":
		return p.watchIngest(h)
	case "bridge":
		return p.watchBridge(h)
	case "drainer":
		killable := func(ctx context.Context, event []byte) ([]byte, error) {
			if p.faults[drainerKilled].on() {
				return nil, errDrainerKilled
			}
			ctx, cancel := p.faults[drainerKilled].life(ctx)
			defer cancel()
			p.drains.Add(1)
			p.draining.Add(1)
			defer p.draining.Add(-1)
			return h(ctx, event)
		}
		p.drainer = &local.Function{Name: p.o.Deployment + "-drainer", Timeout: time.Minute, Handler: killable}
		return killable
	}
	return h
}

func (p *Page) watchIngest(h local.Handler) local.Handler {
	return func(ctx context.Context, event []byte) ([]byte, error) {
		began := time.Now()
		answer, err := h(ctx, event)
		var told struct {
			StatusCode int `json:"statusCode"`
		}
		if err == nil && json.Unmarshal(answer, &told) == nil && told.StatusCode == 200 {
			return answer, nil // The health.
		}
		p.answered.Add(1)
		p.nanoseconds.Add(int64(time.Since(began)))
		if told.StatusCode == 202 {
			p.accepted.Add(1)
		} else {
			p.refused.Add(1)
		}
		return answer, err
	}
}
