package ingest

import (
	"bytes"
	stdgzip "compress/gzip"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// FuzzContentDecoding compares gzip with the standard library, and zstd with one
// call of the decoder for the whole body.
func FuzzContentDecoding(f *testing.F) {
	const limit = 4096
	for _, body := range [][]byte{nil, []byte("hello\n"), make([]byte, limit), make([]byte, limit+1), random(limit + 1)} {
		f.Add(true, gz(f, body))
		f.Add(false, zst(f, body, true))
		f.Add(false, zst(f, body, false))
	}
	f.Add(true, append(gz(f, []byte("a")), gz(f, []byte("b"))...))
	f.Add(true, append(gz(f, []byte("a")), 0))
	f.Add(false, []byte{0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4}) // a skippable frame
	f.Add(false, []byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x40, 0x01, 0, 0})
	u := newUnpacker(limit)
	f.Fuzz(func(t *testing.T, isGzip bool, packed []byte) {
		c := zstandard
		if isGzip {
			c = gzipped
		}
		got, err := u.unpack(c, packed)
		if len(got) > limit || err != nil && got != nil {
			t.Fatalf("unpack = %d bytes, %v", len(got), err)
		}
		want, plainErr := plainUnpack(c, packed, limit)
		var large *tooLargeError
		switch {
		case errors.As(err, &large):
			// The size exceeds the limit, or an incomplete body states such a size.
			if plainErr == nil && len(want) <= limit {
				t.Errorf("unpack: %v, want %d bytes", err, len(want))
			}
		case err == nil && (plainErr != nil || !bytes.Equal(got, want)):
			t.Errorf("unpack = %d bytes, want %d, %v", len(got), len(want), plainErr)
		case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, gzip.ErrHeader):
			// Windows over 8 MiB are refused. So are reserved flags, as RFC 1952
			// requires, which the standard library ignores.
		case err != nil && plainErr == nil && len(want) <= limit && len(packed) > 0:
			t.Errorf("unpack: %v, want %d bytes", err, len(want))
		}
	})
}

// plainZstd decodes all frames of a body at once.
var plainZstd = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<24))
})

func plainUnpack(c coding, packed []byte, limit int64) ([]byte, error) {
	if c == zstandard {
		z, err := plainZstd()
		if err != nil {
			return nil, err
		}
		return z.DecodeAll(packed, nil)
	}
	z, err := stdgzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(z, limit+1))
}
