package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"github.com/data-sink/data-sink/internal/operate/post"
	"github.com/data-sink/data-sink/internal/operate/replay"
)

const (
	// maxBatchLines is the limit of the API.
	maxBatchLines = 10_000
	// maxBatchBytes is far below the API's limit on a body, because the API pushes
	// at most 1 MiB at a time.
	maxBatchBytes = 1 << 20
	// maxBatchWait is the time after which a batch is sent although it is not full.
	maxBatchWait = time.Second
)

// piece is a part of the input that becomes a record.
type piece struct {
	source string
	bytes  []byte
	err    error // of the input; the last piece
}

var errEnough = errors.New("enough")

// bodies yields the bodies of all requests, which hold the records after the first
// v.Skip.
func (v *sendVerb) bodies(ctx context.Context, b *bar) iter.Seq2[post.Body, error] {
	return func(yield func(post.Body, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		pieces := make(chan piece)
		go v.read(ctx, b, pieces)
		c := collector{pieces: pieces, lines: 1}
		if v.NDJSON {
			c.lines = v.Batch
		}
		for first := v.Skip; ; {
			body, ok, err := c.next(ctx)
			if err != nil {
				yield(post.Body{}, err)
			}
			if err != nil || !ok {
				return
			}
			records := max(body.Lines, 1)
			body.Stream, body.PartitionKey, body.Gzip, body.First = v.Stream, v.PartitionKey, v.Gzip, first
			body.Key = fmt.Sprintf("%s.%d.%d", v.Key, first, records)
			if !yield(body, nil) {
				return
			}
			first += records
		}
	}
}

// collector puts pieces together to bodies.
type collector struct {
	pieces <-chan piece
	lines  int    // maximum number of lines in a batch; 1 for no batches
	held   *piece // a piece that did not fit into the last body
}

// next returns the next body. ok is false at the end of the input.
func (c *collector) next(ctx context.Context) (body post.Body, ok bool, err error) {
	var expired <-chan time.Time
	for {
		if c.held == nil {
			select {
			case p, more := <-c.pieces:
				if !more {
					return body, body.Lines > 0, nil
				}
				c.held = &p
			case <-expired:
				return body, true, nil
			case <-ctx.Done():
				return body, false, context.Cause(ctx)
			}
		}
		p := c.held
		switch {
		case body.Lines > 0 && (p.err != nil || body.Lines == c.lines || len(body.Bytes)+len(p.bytes) > maxBatchBytes):
			return body, true, nil
		case p.err != nil:
			return body, false, p.err
		}
		c.held = nil
		if c.lines == 1 {
			return post.Body{Source: p.source, Bytes: p.bytes}, true, nil
		}
		if body.Lines == 0 {
			body.Source, expired = p.source, time.After(maxBatchWait)
		}
		body.Bytes = append(append(body.Bytes, p.bytes...), '\n')
		body.Lines++
	}
}

// read sends the pieces of all files after the first v.Skip, and closes pieces. It stops
// when ctx ends, except during a read of standard input.
func (v *sendVerb) read(ctx context.Context, b *bar, pieces chan<- piece) {
	defer close(pieces)
	by, index := replay.Whole, 0
	if v.NDJSON {
		by = replay.Line
	}
	files := v.Files
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, name := range files {
		source := name
		if name == "-" {
			source = "standard input"
		}
		file, err := open(name)
		if err == nil {
			err = by.Split(file, func(body []byte) error {
				if v.NDJSON && (string(body) == "\n" || string(body) == "\r") {
					return nil
				}
				if index++; index <= v.Skip {
					b.add(v.length(post.Body{Bytes: body}))
					return nil
				}
				return give(ctx, pieces, piece{source: source, bytes: body})
			})
			_ = file.Close() // It was only read.
		}
		if err != nil {
			_ = give(ctx, pieces, piece{err: fmt.Errorf("reading %s: %w", source, err)}) // After an interrupt there is no receiver.
			return
		}
	}
}

// open opens a file, or standard input for "-".
func open(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	return os.Open(name)
}

// give sends a piece, or returns the cause of the end of ctx.
func give(ctx context.Context, pieces chan<- piece, p piece) error {
	select {
	case pieces <- p:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// length returns the number of bytes that a body occupies in its file.
func (v *sendVerb) length(body post.Body) int64 {
	n := int64(len(body.Bytes))
	if v.NDJSON && body.Lines == 0 {
		n++ // the newline
	}
	return n
}

// size returns the total size of the files in bytes, or 0 if it is not known.
func (v *sendVerb) size() int64 {
	var total int64
	for _, name := range v.Files {
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			return 0
		}
		total += info.Size()
	}
	return total
}
