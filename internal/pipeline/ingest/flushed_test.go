package ingest

import (
	"bytes"
	stdgzip "compress/gzip"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// A program that streams its records flushes the encoder after each of them. Such a
// body consists of as many small blocks as a hostile one, and is decoded.
func TestBodiesOfFlushedLinesAreNotWasteful(t *testing.T) {
	t.Parallel()
	type flusher interface {
		io.WriteCloser
		Flush() error
	}
	gzipAt := func(level int) func(io.Writer) (flusher, error) {
		return func(w io.Writer) (flusher, error) { return stdgzip.NewWriterLevel(w, level) }
	}
	zstdAt := func(level zstd.EncoderLevel) func(io.Writer) (flusher, error) {
		return func(w io.Writer) (flusher, error) {
			return zstd.NewWriter(w, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1))
		}
	}
	u := newUnpacker(16 << 20)
	noise := fmt.Appendf(nil, "%x", random(1<<20))
	for name, tt := range map[string]struct {
		coding
		open func(io.Writer) (flusher, error)
		size int // of a line
	}{
		"gzip, lines of one byte": {gzipped, gzipAt(stdgzip.BestSpeed), 1}, // nine bytes each
		"gzip, level 1":           {gzipped, gzipAt(stdgzip.BestSpeed), 100},
		"gzip, level 9":           {gzipped, gzipAt(stdgzip.BestCompression), 100},
		"zstd, level 1":           {zstandard, zstdAt(zstd.SpeedFastest), 100},
		"zstd, level 3":           {zstandard, zstdAt(zstd.SpeedDefault), 100},
	} {
		var packed, plain bytes.Buffer
		w, err := tt.open(&packed)
		if err != nil {
			t.Fatal(err)
		}
		for line := range slices.Chunk(noise, tt.size) {
			if packed.Len() > 3*wasteSlack {
				break
			}
			plain.Write(line)
			if _, err := w.Write(line); err != nil {
				t.Fatal(err)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := u.unpack(tt.coding, packed.Bytes()); err != nil || !bytes.Equal(got, plain.Bytes()) {
			t.Errorf("%s: %d of %d bytes, %v", name, len(got), plain.Len(), err)
		}
	}
}
