package ingest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/gzip"
)

// gzipReader is a decoder and its source.
type gzipReader struct {
	gzip.Reader
	buffer *bufio.Reader
	source boundedReader
}

func newGzipReader() *gzipReader {
	z := new(gzipReader)
	z.buffer = bufio.NewReaderSize(&z.source, 16<<10)
	return z
}

// boundedReader reads a body for a decoder and stops it when the body is wasteful.
type boundedReader struct {
	body          bytes.Reader
	read, written int
}

func (r *boundedReader) Read(p []byte) (int, error) {
	if isWasteful(r.read, r.written) {
		return 0, errWasteful
	}
	n, err := r.body.Read(p)
	r.read += n
	return n, err
}

// reset makes z read body.
func (z *gzipReader) reset(body []byte) {
	z.source.body.Reset(body)
	z.source.read, z.source.written = 0, 0
	z.buffer.Reset(&z.source)
}

// atEnd reports whether nothing is left to read.
func (z *gzipReader) atEnd() bool { return z.buffer.Buffered() == 0 && z.source.body.Len() == 0 }

// gunzip decodes one or more gzip members.
func (u *unpacker) gunzip(body []byte) ([]byte, error) {
	z := u.gzip.Get().(*gzipReader)
	defer u.gzip.Put(z)
	z.reset(body)
	defer z.reset(nil)
	// One additional byte makes Read return io.EOF without another allocation.
	unpacked := make([]byte, 0, u.guess(body)+1)
	for more := true; more; more = !z.atEnd() {
		// In multistream mode, the reader would treat an incomplete second header as
		// the end.
		if err := z.Reset(z.buffer); err != nil {
			return nil, fmt.Errorf("reading a gzip header: %w", err)
		}
		z.Multistream(false)
		var err error
		if unpacked, err = u.appendAll(unpacked, z); err != nil {
			return nil, err
		}
	}
	return unpacked, nil
}

// appendAll appends the decoded bytes of one gzip member. It returns a
// *tooLargeError if the result exceeds the limit.
func (u *unpacker) appendAll(unpacked []byte, z *gzipReader) ([]byte, error) {
	for {
		n, err := z.Read(unpacked[len(unpacked):cap(unpacked)])
		unpacked = unpacked[:len(unpacked)+n]
		z.source.written = len(unpacked)
		switch {
		case len(unpacked) > u.limit:
			return nil, &tooLargeError{size: u.limit, atLeast: true}
		case errors.Is(err, io.EOF):
			return unpacked, nil
		case err != nil:
			return nil, fmt.Errorf("reading gzip: %w", err)
		case len(unpacked) == cap(unpacked):
			unpacked = slices.Grow(unpacked, min(max(len(unpacked), 512), u.limit+1-len(unpacked)))
		}
	}
}

// guess returns the decoded size that the last gzip member states. If that size is
// impossible, guess returns less: deflate compresses at most 1,032 to 1.
func (u *unpacker) guess(body []byte) int {
	if len(body) < 4 {
		return 0
	}
	stated := binary.LittleEndian.Uint32(body[len(body)-4:])
	return int(min(uint64(stated), uint64(u.limit), 1032*uint64(len(body))))
}
