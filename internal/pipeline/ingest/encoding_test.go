package ingest

import (
	"bytes"
	"compress/flate"
	stdgzip "compress/gzip"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// This file is in package ingest because it tests unexported functions.

func gz(tb testing.TB, body []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	w, err := stdgzip.NewWriterLevel(&out, stdgzip.BestCompression)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write(body); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// zst returns body as one zstd frame. stated says whether the frame states its
// size.
func zst(tb testing.TB, body []byte, stated bool, options ...zstd.EOption) []byte {
	tb.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, append(options, zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true))...)
	if err != nil {
		tb.Fatal(err)
	}
	if stated {
		return w.EncodeAll(body, nil)
	}
	for piece := range bytes.SplitSeq(body, nil) {
		if _, err := w.Write(piece); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func random(n int) []byte {
	body := make([]byte, n)
	source := rand.New(rand.NewPCG(1, 2))
	for i := range body {
		body[i] = byte(source.Uint32())
	}
	return body
}

func TestUnpackLimit(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{1, 512, 513, 300_000} {
		u := newUnpacker(limit)
		for _, size := range []int{limit - 1, limit, limit + 1, 2*limit + 7} {
			for kind, body := range map[string][]byte{"random": random(size), "zeros": make([]byte, size)} {
				for name, packed := range map[string]struct {
					coding
					body []byte
				}{
					"identity":         {identity, body},
					"gzip":             {gzipped, gz(t, body)},
					"two gzip members": {gzipped, append(gz(t, body[:size/2]), gz(t, body[size/2:])...)},
					"gzip that lies":   {gzipped, append(gz(t, body), gz(t, nil)...)}, // its last member states 0 bytes
					"zstd":             {zstandard, zst(t, body, true)},
					"zstd stream":      {zstandard, zst(t, body, false)},
					"two zstd frames":  {zstandard, append(zst(t, body[:size/2], true), zst(t, body[size/2:], false)...)},
				} {
					got, err := u.unpack(packed.coding, packed.body)
					var large *tooLargeError
					switch {
					case size <= limit && (err != nil || !bytes.Equal(got, body)):
						t.Errorf("%s of %d bytes, %s, limit %d: %d bytes, %v", name, size, kind, limit, len(got), err)
					case size > limit && !errors.As(err, &large):
						t.Errorf("%s of %d bytes, %s, limit %d: %v, want too large", name, size, kind, limit, err)
					case size > limit && large.atLeast && large.size != limit, size > limit && !large.atLeast && large.size != size:
						t.Errorf("%s of %d bytes, %s, limit %d: %v", name, size, kind, limit, err)
					}
				}
			}
		}
	}
}

func TestUnpackRefusesIncompleteBodies(t *testing.T) {
	t.Parallel()
	u := newUnpacker(1 << 20)
	body := []byte(strings.Repeat("some text, ", 100))
	whole := map[coding][]byte{gzipped: gz(t, body), zstandard: zst(t, body, false)}
	for c, packed := range whole {
		for i := range packed {
			if got, err := u.unpack(c, packed[:i]); err == nil && (c == gzipped || i > 0) {
				t.Errorf("coding %d cut off after %d of %d bytes: %d bytes and no error", c, i, len(packed), len(got))
			}
		}
		for _, tail := range []string{"\x00", "\n", "garbage", string(packed[:5]), "\x1f\x8b\x08"} {
			if got, err := u.unpack(c, append(bytes.Clone(packed), tail...)); err == nil {
				t.Errorf("coding %d with %q behind it: %d bytes and no error", c, tail, len(got))
			}
		}
		for i := range packed {
			spoilt := bytes.Clone(packed)
			spoilt[i] ^= 0x55
			// A few bytes of a header mean nothing to the body.
			if got, err := u.unpack(c, spoilt); err == nil && !bytes.Equal(got, body) {
				t.Errorf("coding %d spoilt at byte %d: other bytes and no error", c, i)
			}
		}
	}
	for name, tt := range map[string]struct {
		coding
		body []byte
	}{
		"gzip as zstd": {zstandard, whole[gzipped]}, "zstd as gzip": {gzipped, whole[zstandard]},
		"gzip twice, once said": {zstandard, gz(t, whole[zstandard])},
		"zlib":                  {gzipped, []byte("x\x9c\x03\x00\x00\x00\x00\x01")},
		"zstd dictionary":       {zstandard, []byte("\x28\xb5\x2f\xfd\x21\x01\x05\x29\x00\x00hello")},
	} {
		if got, err := u.unpack(tt.coding, tt.body); err == nil {
			t.Errorf("%s: %d bytes and no error", name, len(got))
		}
	}
}

func TestUnpackOnlyOnce(t *testing.T) {
	t.Parallel()
	inner := gz(t, []byte("hello"))
	if got, err := newUnpacker(1<<20).unpack(gzipped, gz(t, inner)); err != nil || !bytes.Equal(got, inner) {
		t.Errorf("gzip in gzip = %d bytes, %v, want the inner gzip as it is", len(got), err)
	}
}

// A frame's window can be up to 8 MiB, as RFC 9659 requires, or up to the limit if
// that is larger, even if the body is small.
func TestUnpackWindows(t *testing.T) {
	t.Parallel()
	frame := func(window byte) []byte {
		return []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, window << 3, 0x01 | 5<<3, 0, 0, 'h', 'e', 'l', 'l', 'o'}
	}
	for _, tt := range []struct {
		limit  int
		window byte // less 10, the power of two
		want   bool
	}{{2000, 13, true}, {2000, 14, false}, {16 << 20, 14, true}, {16 << 20, 15, false}} {
		got, err := newUnpacker(tt.limit).unpack(zstandard, frame(tt.window))
		if (err == nil && string(got) == "hello") != tt.want {
			t.Errorf("window of 2^%d bytes, limit %d: %q, %v, want it decoded: %v", tt.window+10, tt.limit, got, err, tt.want)
		}
	}
}

// gzipZeros returns a gzip member with n MiB of zeros, as n copies of the
// compressed MiB.
func gzipZeros(tb testing.TB, n int) []byte {
	tb.Helper()
	var mebibyte bytes.Buffer
	w, err := flate.NewWriter(&mebibyte, flate.BestCompression)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		tb.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	header := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}
	return slices.Concat(header, bytes.Repeat(mebibyte.Bytes(), n), []byte{3, 0}, make([]byte, 8))
}

// zstdZeros returns a zstd frame with n MiB of zeros, in blocks that repeat a byte.
func zstdZeros(n int) []byte {
	header := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 13 << 3}
	block := []byte{1 << 1, 0, 1 << 4, 0} // 128 KiB
	return slices.Concat(header, bytes.Repeat(block, 8*n), []byte{1, 0, 0})
}

// A body that unpacks to gigabytes, or states such a size, needs no more memory
// than a body within the limit. The test measures all allocations, including
// freed ones, so the bound holds at each moment. Growing a buffer step by step
// allocates a few times its final size.
func TestBombsCostNoMemory(t *testing.T) { // not parallel: it measures the whole process
	const limit = 16 << 20
	gzipBomb, zstdBomb := gzipZeros(t, 4000), zstdZeros(100_000)
	liar := gz(t, []byte("hello"))
	binary.LittleEndian.PutUint32(liar[len(liar)-4:], 0xffffffff)
	gigabyteFrame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x40, 0x01, 0, 0} // one segment of 1 GiB, then an empty block
	fullFrame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x01, 0x01, 0, 0}     // the same of 16 MiB
	u := newUnpacker(limit)
	for name, tt := range map[string]struct {
		coding
		body      []byte
		large     bool
		allocated uint64
	}{
		"gzip bomb":                {gzipped, gzipBomb, true, 4 * limit},
		"gzip bomb in 1,000":       {gzipped, bytes.Repeat(gz(t, make([]byte, 1<<20)), 1000), true, 4 * limit},
		"gzip that lies":           {gzipped, liar, false, 1 << 20},
		"zstd bomb":                {zstandard, zstdBomb, true, 8 * limit},
		"zstd bomb of tables":      {zstandard, zst(t, make([]byte, 2*limit), false), true, 8 * limit},
		"zstd bomb in 1,000":       {zstandard, bytes.Repeat(zst(t, make([]byte, 1<<20), true), 1000), true, 8 * limit},
		"zstd in 16,384 frames":    {zstandard, bytes.Repeat(zst(t, make([]byte, 1<<10), true), 16<<10+1), true, 8 * limit},
		"and none states its size": {zstandard, bytes.Repeat(zst(t, make([]byte, 1<<10), false), 16<<10+1), true, 8 * limit},
		"gzip in 16,384 members":   {gzipped, bytes.Repeat(gz(t, make([]byte, 1<<10)), 16<<10+1), true, 4 * limit},
		"zstd that says 1 GiB":     {zstandard, gigabyteFrame, true, 1 << 20},
		"zstd that lies, 16 MiB":   {zstandard, fullFrame, false, 3 * limit},
	} {
		if len(tt.body) > 4<<20 {
			t.Fatalf("%s has %d bytes, more than a request", name, len(tt.body))
		}
		if _, err := u.unpack(tt.coding, tt.body); err == nil { // and warm the pools
			t.Fatalf("%s: no error", name)
		}
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := u.unpack(tt.coding, tt.body)
		runtime.ReadMemStats(&after)
		var large *tooLargeError
		if errors.As(err, &large) != tt.large {
			t.Errorf("%s: %v, want too large: %v", name, err, tt.large)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > tt.allocated {
			t.Errorf("%s of %d bytes allocated %d bytes, want %d at most", name, len(tt.body), got, tt.allocated)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); kept > 1<<20 {
			t.Errorf("%s: %d bytes were kept", name, kept)
		}
	}
}
