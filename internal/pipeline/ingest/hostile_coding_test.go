package ingest

import (
	"bytes"
	stdgzip "compress/gzip"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// quine is a gzip file that unpacks to itself.
const quine = "1f8b08080000000000ff7100001100eeff1f8b08080000000000ff7100001100eeff8209c00500000500faff8209c00500000500faff000500faff001400ebff" +
	"8209c00500000500faff000500faff001400ebff428821c400001400ebff428821c400001400ebff428821c400001400ebff428821c400001400ebff428821c4" +
	"00000000ffff000000ffff001200edff428821c400000000ffff000000ffff001200edff828bc04500010000ffff6fa27844c8000000828bc04500010000ffff6fa27844c8000000"

func TestAQuineIsUnpackedOnce(t *testing.T) {
	t.Parallel()
	packed, err := hex.DecodeString(quine)
	if err != nil {
		t.Fatal(err)
	}
	z, err := stdgzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(z); err != nil || !bytes.Equal(plain, packed) {
		t.Fatalf("the standard library unpacks it to %x, %v: it is not a quine", plain, err)
	}
	u := newUnpacker(len(packed))
	if got, err := u.unpack(gzipped, packed); err != nil || !bytes.Equal(got, packed) {
		t.Errorf("unpack = %d bytes, %v, want the quine itself", len(got), err)
	}
	var large *tooLargeError
	if _, err := u.unpack(gzipped, append(bytes.Clone(packed), packed...)); !errors.As(err, &large) {
		t.Errorf("two quines at the limit of one: %v, want too large", err)
	}
}

// A body with many layers of compression is decoded once.
func TestLayersAreUnpackedOnce(t *testing.T) {
	t.Parallel()
	u := newUnpacker(1 << 20)
	body, inner := []byte("hello"), []byte(nil)
	for i := range 50 {
		inner = body
		if i%2 == 0 {
			body = gz(t, body)
		} else {
			body = zst(t, body, i%4 == 1)
		}
	}
	if got, err := u.unpack(zstandard, body); err != nil || !bytes.Equal(got, inner) {
		t.Errorf("50 layers: %d bytes, %v, want the %d of the layer below", len(got), err, len(inner))
	}
	if _, err := u.unpack(gzipped, body); err == nil {
		t.Error("a layer of zstd unpacks as gzip")
	}
}

// A member whose checksum or length is wrong is refused in every position.
func TestGzipTrailersThatLie(t *testing.T) {
	t.Parallel()
	u := newUnpacker(1 << 20)
	for _, content := range []string{"", "a", strings.Repeat("some text, ", 1000), string(random(100_000))} {
		good := gz(t, []byte(content))
		for bit := range 64 { // checksum, then length
			bad := bytes.Clone(good)
			bad[len(bad)-8+bit/8] ^= 1 << (bit % 8)
			for where, packed := range map[string][]byte{
				"alone": bad, "first": append(bytes.Clone(bad), good...), "last": append(bytes.Clone(good), bad...),
				"between": slices.Concat(good, bad, good),
			} {
				if got, err := u.unpack(gzipped, packed); err == nil {
					t.Errorf("content of %d bytes, bit %d of the trailer wrong, %s: %d bytes and no error", len(content), bit, where, len(got))
				}
			}
		}
	}
}

// gzipHeader returns a gzip member of "hello" with the given flags and fields in
// its header.
func gzipHeader(tb testing.TB, flags byte, fields string) []byte {
	tb.Helper()
	packed := gz(tb, []byte("hello"))
	return slices.Concat([]byte{0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 0xff}, []byte(fields), packed[10:])
}

func TestGzipHeadersThatAreHostile(t *testing.T) {
	t.Parallel()
	const headerChecksum, extra, name, comment = 1 << 1, 1 << 2, 1 << 3, 1 << 4
	u := newUnpacker(1 << 20)
	for what, tt := range map[string]struct {
		packed []byte
		want   bool
	}{
		"extra of 65,535 bytes":      {gzipHeader(t, extra, "\xff\xff"+strings.Repeat("x", 65535)), true},
		"extra beyond the end":       {gzipHeader(t, extra, "\xff\xff"), false},
		"name that is a path":        {gzipHeader(t, name, "../../etc/passwd\x00"), true},
		"name of 511 bytes":          {gzipHeader(t, name, strings.Repeat("n", 511)+"\x00"), true},
		"name without end":           {gzipHeader(t, name, strings.Repeat("n", 1<<20)), false},
		"comment without end":        {gzipHeader(t, comment, strings.Repeat("n", 1<<20)), false},
		"wrong header checksum":      {gzipHeader(t, headerChecksum, "\x00\x00"), false},
		"reserved flags":             {gzipHeader(t, 0xe0, ""), false},
		"another method":             {append([]byte{0x1f, 0x8b, 7}, gz(t, []byte("hello"))[3:]...), false},
		"block of the reserved kind": {[]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x07\x00\x00\x00\x00\x00\x00\x00\x00"), false},
		"stored block that lies":     {[]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x01\x05\x00\x00\x00hello\x86\xa6\x106\x05\x00\x00\x00"), false},
		"copy from before the start": {[]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x03\x02\x00\x00\x00\x00\x00\x00\x00\x00"), false},
	} {
		got, err := u.unpack(gzipped, tt.packed)
		if (err == nil) != tt.want || tt.want && string(got) != "hello" {
			t.Errorf("%s: %d bytes, %v, want it unpacked: %v", what, len(got), err, tt.want)
		}
	}
}

// Skippable frames decode to nothing, independent of the size that they state.
func TestZstdFramesThatAreHostile(t *testing.T) {
	t.Parallel()
	u := newUnpacker(1 << 20)
	skipped := []byte("\x50\x2a\x4d\x18\x04\x00\x00\x00\xde\xad\xbe\xef")
	hello := zst(t, []byte("hello"), true)
	for what, tt := range map[string]struct {
		packed []byte
		want   string
		ok     bool
	}{
		"skipped only":               {skipped, "", true},
		"1,000 skipped":              {bytes.Repeat(skipped, 1000), "", true},
		"skipped around":             {slices.Concat(skipped, hello, skipped, hello, skipped), "hellohello", true},
		"skipped beyond the end":     {skipped[:11], "", false},
		"skipped that says 4 GiB":    {[]byte("\x5f\x2a\x4d\x18\xff\xff\xff\xffhello"), "", false},
		"magic of a dictionary":      {[]byte("\x37\xa4\x30\xec\x01\x00\x00\x00"), "", false},
		"dictionary 1":               {[]byte("\x28\xb5\x2f\xfd\x21\x01\x05\x29\x00\x00hello"), "", false},
		"dictionary of four bytes":   {[]byte("\x28\xb5\x2f\xfd\x23\xff\xff\xff\x7f\x05\x29\x00\x00hello"), "", false},
		"without dictionary":         {[]byte("\x28\xb5\x2f\xfd\x20\x05\x29\x00\x00hello"), "hello", true}, // or the two above prove nothing
		"dictionary 0 is none":       {[]byte("\x28\xb5\x2f\xfd\x21\x00\x05\x29\x00\x00hello"), "hello", true},
		"window of 3.75 TiB":         {[]byte("\x28\xb5\x2f\xfd\x00\xff\x29\x00\x00hello"), "", false},
		"says 2^64-1 bytes":          {[]byte("\x28\xb5\x2f\xfd\xe0\xff\xff\xff\xff\xff\xff\xff\xff\x29\x00\x00hello"), "", false},
		"says 2^63 bytes":            {[]byte("\x28\xb5\x2f\xfd\xe0\x00\x00\x00\x00\x00\x00\x00\x80\x29\x00\x00hello"), "", false},
		"says less than it has":      {[]byte("\x28\xb5\x2f\xfd\x20\x04\x29\x00\x00hello"), "", false},
		"says more than it has":      {[]byte("\x28\xb5\x2f\xfd\x20\x06\x29\x00\x00hello"), "", false},
		"reserved bit":               {[]byte("\x28\xb5\x2f\xfd\x28\x05\x29\x00\x00hello"), "", false},
		"block of the reserved kind": {[]byte("\x28\xb5\x2f\xfd\x20\x05\x2f\x00\x00hello"), "", false},
		"no last block":              {[]byte("\x28\xb5\x2f\xfd\x20\x05\x28\x00\x00hello"), "", false},
	} {
		got, err := u.unpack(zstandard, tt.packed)
		if (err == nil) != tt.ok || string(got) != tt.want {
			t.Errorf("%s: %.40q, %v, want %q, unpacked: %v", what, got, err, tt.want, tt.ok)
		}
	}
}

// A body of many minimal members, frames or blocks allocates nothing for each of
// them. If they decode to nothing, the decoder stops early.
func TestTinyPiecesCostNoMemory(t *testing.T) { // not parallel: it measures the whole process
	const received = 1 << 20
	fill := func(piece []byte) []byte { return bytes.Repeat(piece, received/len(piece)) }
	u := newUnpacker(16 << 20)
	for name, tt := range map[string]struct {
		coding
		body []byte
		size int // 0: refused
	}{
		"gzip members of nothing":  {gzipped, fill(gz(t, nil)), 0},
		"gzip members of one byte": {gzipped, fill(gz(t, []byte("a"))), received / len(gz(t, []byte("a")))},
		"gzip blocks of nothing":   {gzipped, gzipBlocks(received, []byte{0, 0, 0, 0xff, 0xff}, []byte{1, 0, 0, 0xff, 0xff}), 0},
		"gzip blocks of tables":    {gzipped, gzipBlocks(received, tableBlocks(0), tableBlocks(1)), 0},
		"zstd frames of nothing":   {zstandard, fill([]byte("\x28\xb5\x2f\xfd\x00\x70\x01\x00\x00")), 0}, // with windows of 16 MiB
		"zstd frames of one byte":  {zstandard, fill([]byte("\x28\xb5\x2f\xfd\x00\x70\x09\x00\x00a")), received / 10},
		"zstd skippable frames":    {zstandard, fill([]byte("\x50\x2a\x4d\x18\x00\x00\x00\x00")), 0},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, err := u.unpack(tt.coding, tt.body)
		runtime.ReadMemStats(&after)
		if errors.Is(err, errWasteful) != (tt.size == 0) || len(got) != tt.size {
			t.Errorf("%s: %d bytes, %v, want %d", name, len(got), err, tt.size)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
			t.Errorf("%s: %d bytes allocated %d", name, len(tt.body), got)
		}
	}
}

// gzipBlocks returns a gzip member of nothing, filled with copies of a deflate block
// up to about size bytes.
func gzipBlocks(size int, block, last []byte) []byte {
	header := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}
	return slices.Concat(header, bytes.Repeat(block, size/len(block)), last, make([]byte, 8))
}

// tableBlocks returns four deflate blocks that have only Huffman tables, which are
// expensive to build, and no content. Each has 90 bits, so four end at a byte.
func tableBlocks(last uint64) []byte {
	var bits []byte
	put := func(value uint64, n int) {
		for i := range n {
			bits = append(bits, byte(value>>i&1))
		}
	}
	for block := range 4 {
		put(last*uint64(block/3), 1)
		put(2, 2)  // own tables
		put(0, 10) // 257 lengths of literals and 1 of distances
		put(14, 4) // 18 lengths of code lengths, which give the codes 1 and 18 one bit each
		for _, symbol := range []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1} {
			length := uint64(0)
			if symbol == 18 || symbol == 1 {
				length = 1
			}
			put(length, 3)
		}
		put(1, 1)
		put(127, 7) // 138 zeros
		put(1, 1)
		put(107, 7) // 118 zeros
		put(0, 2)   // length 1 for the end of the block and for the distance
		put(0, 1)   // the end of the block
	}
	packed := make([]byte, len(bits)/8)
	for i, bit := range bits {
		packed[i/8] |= bit << (i % 8)
	}
	return packed
}

// A wasteful body is refused after a part of it has been read.
func TestWastefulBodiesAreNotReadToTheirEnd(t *testing.T) {
	t.Parallel()
	z := newGzipReader()
	z.reset(gzipBlocks(4<<20, tableBlocks(0), tableBlocks(1)))
	if err := z.Reset(z.buffer); err != nil {
		t.Fatal(err)
	}
	if _, err := newUnpacker(1<<20).appendAll(nil, z); !errors.Is(err, errWasteful) {
		t.Errorf("appendAll = %v, want %v", err, errWasteful)
	}
	if z.source.read > wasteSlack+z.buffer.Size() {
		t.Errorf("%d bytes read, want at most %d and one buffer", z.source.read, wasteSlack)
	}
}

// The size that a gzip body states is only a guess: the allocation is bounded by
// the size to which the body could unpack, and by the limit.
func TestTheStatedSizeIsAGuess(t *testing.T) {
	t.Parallel()
	u := newUnpacker(1 << 20)
	for _, stated := range []uint32{0, 4, 5, 6, 1 << 20, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
		packed := gz(t, []byte("hello"))
		binary.LittleEndian.PutUint32(packed[len(packed)-4:], stated)
		if got := u.guess(packed); got > u.limit || got > 1032*len(packed) {
			t.Errorf("stated %d: guess = %d", stated, got)
		}
		if got, err := u.unpack(gzipped, packed); (err == nil) != (stated == 5) {
			t.Errorf("stated %d: %q, %v", stated, got, err)
		}
	}
}
