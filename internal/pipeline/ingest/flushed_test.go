package ingest

import (
	"bytes"
	stdgzip "compress/gzip"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// flusher is the writer of an encoder.
type flusher interface {
	io.WriteCloser
	Flush() error
}

// A program that streams its records flushes the encoder after each of them. Such a
// body consists of as many small blocks as a hostile one, and is decoded.
func TestBodiesOfFlushedLinesAreNotWasteful(t *testing.T) {
	t.Parallel()
	type encoder struct {
		coding
		open func(io.Writer) (flusher, error)
	}
	encoders := make(map[string]encoder)
	for _, level := range []int{stdgzip.HuffmanOnly, stdgzip.NoCompression, stdgzip.BestSpeed, stdgzip.DefaultCompression, stdgzip.BestCompression} {
		encoders[fmt.Sprintf("compress/gzip, level %d", level)] = encoder{gzipped, func(w io.Writer) (flusher, error) { return stdgzip.NewWriterLevel(w, level) }}
		encoders[fmt.Sprintf("klauspost gzip, level %d", level)] = encoder{gzipped, func(w io.Writer) (flusher, error) { return gzip.NewWriterLevel(w, level) }}
	}
	for level := zstd.SpeedFastest; level <= zstd.SpeedBestCompression; level++ {
		encoders["zstd, level "+level.String()] = encoder{zstandard, func(w io.Writer) (flusher, error) {
			return zstd.NewWriter(w, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1))
		}}
	}
	u := newUnpacker(16 << 20)
	noise := fmt.Appendf(nil, "%x", random(1<<20))
	for name, e := range encoders {
		for _, size := range []int{1, 8, 60, 450} {
			var packed, plain bytes.Buffer
			w, err := e.open(&packed)
			if err != nil {
				t.Fatal(err)
			}
			for line := range slices.Chunk(noise, size) {
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
			if got, err := u.unpack(e.coding, packed.Bytes()); err != nil || !bytes.Equal(got, plain.Bytes()) {
				t.Errorf("%s, flushed each %d bytes: %d of %d bytes, %v", name, size, len(got), plain.Len(), err)
			}
		}
	}
}
