package ingest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// coding is a content encoding that ingest can decode.
type coding int

const (
	identity coding = iota
	gzipped
	zstandard
)

// codingOf parses a Content-Encoding header, which is a list, and reports whether
// ingest can decode it: the list may have one encoding other than identity.
// "application/gzip" is not registered, but the original clients send it.
func codingOf(header []byte) (coding, bool) {
	c := identity
	for name := range strings.SplitSeq(string(header), ",") {
		var next coding
		switch strings.Map(lowerASCII, strings.Trim(name, " \t")) {
		case "", "identity":
			continue
		case "gzip", "x-gzip", "application/gzip":
			next = gzipped
		case "zstd":
			next = zstandard
		}
		if c != identity || next == identity {
			return identity, false
		}
		c = next
	}
	return c, true
}

// lowerASCII converts only ASCII letters: the lower case of "İ" begins with "i".
func lowerASCII(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r - 'A' + 'a'
	}
	return r
}

// minWindow is the window that RFC 9659 requires of a zstd decoder.
// https://www.rfc-editor.org/rfc/rfc9659
const minWindow = 8 << 20

// unpacker decodes bodies up to a limit. The limit bounds its memory, independent
// of the body's decoded size and of the size that the body states. It is safe for
// concurrent use.
type unpacker struct {
	limit      int
	gzip, zstd sync.Pool
}

func newUnpacker(limit int) *unpacker {
	return &unpacker{
		limit: limit,
		gzip:  sync.Pool{New: func() any { return newGzipReader() }},
		zstd: sync.Pool{New: func() any {
			d, err := zstd.NewReader(
				nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
				zstd.WithDecoderMaxWindow(uint64(max(limit, minWindow))), zstd.WithDecoderMaxMemory(uint64(max(limit, minWindow))),
			)
			if err != nil {
				panic(err) // the options are constants and a positive limit
			}
			return d
		}},
	}
}

// tooLargeError means that a body decodes to more than the limit.
type tooLargeError struct {
	// size is the decoded size. If atLeast is set, the body was not decoded
	// completely and has more than size bytes.
	size    int
	atLeast bool
}

func (e *tooLargeError) Error() string {
	if e.atLeast {
		return fmt.Sprintf("more than %d bytes", e.size)
	}
	return fmt.Sprintf("%d bytes", e.size)
}

// A body is refused when a decoder has read more than wasteSlack bytes and
// wasteRatio bytes for each byte that it wrote. Such a body costs CPU time without
// a result. No encoder needs as many: a gzip member of one byte has 21 bytes. The
// slack covers what a decoder has read ahead and decoded but not yet returned.
//
// The number of blocks has no bound of its own: an encoder that is flushed after each
// line writes as many, and as small, blocks as a body that is made to be expensive.
const (
	wasteSlack = 256 << 10
	wasteRatio = 32
)

// errWasteful means that a body decodes to almost nothing for its size.
var errWasteful = errors.New("decodes to almost nothing for its size")

// isWasteful reports whether a decoder must stop.
func isWasteful(read, written int) bool { return read > wasteSlack+wasteRatio*written }

// unpack decodes body. It returns a *tooLargeError if the decoded body exceeds the
// limit, and another error if the body is malformed, incomplete, followed by other
// bytes, or wasteful.
func (u *unpacker) unpack(c coding, body []byte) ([]byte, error) {
	var unpacked []byte
	var err error
	switch c {
	case gzipped:
		unpacked, err = u.gunzip(body)
	case zstandard:
		unpacked, err = u.unzstd(body)
	default:
		unpacked = body
	}
	if err == nil && len(unpacked) > u.limit {
		err = &tooLargeError{size: len(unpacked)}
	}
	if err != nil {
		return nil, err
	}
	return unpacked, nil
}

// maxPooled bounds the output of pooled decoders, because a zstd decoder retains
// its last output.
const maxPooled = 1 << 20

// unzstd decodes one or more zstd frames. It calls the decoder for each frame,
// because the decoder grows its output by exactly one frame at a time: a body of
// many small frames would take minutes.
func (u *unpacker) unzstd(body []byte) ([]byte, error) {
	d := u.zstd.Get().(*zstd.Decoder)
	var unpacked []byte
	read := 0
	defer func() {
		if cap(unpacked) <= maxPooled {
			u.zstd.Put(d)
		}
	}()
	for len(body) > 0 {
		frame, stated, err := nextFrame(body)
		if err != nil {
			return nil, fmt.Errorf("reading a zstd frame: %w", err)
		}
		if stated > uint64(u.limit-len(unpacked)) {
			return nil, &tooLargeError{size: u.limit, atLeast: true}
		}
		if isWasteful(read, len(unpacked)) {
			return nil, errWasteful
		}
		read += frame
		unpacked, err = d.DecodeAll(body[:frame], slices.Grow(unpacked, int(stated)))
		switch {
		case errors.Is(err, zstd.ErrDecoderSizeExceeded), err == nil && len(unpacked) > u.limit:
			return nil, &tooLargeError{size: u.limit, atLeast: true}
		case err != nil:
			return nil, fmt.Errorf("reading zstd: %w", err)
		}
		body = body[frame:]
	}
	return unpacked, nil
}

// nextFrame returns the length of the first zstd frame of body and the decoded
// size that it states, or 0 if it states none.
// https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1
func nextFrame(body []byte) (length int, stated uint64, err error) {
	var h zstd.Header
	if err := h.Decode(body); err != nil {
		return 0, 0, err
	}
	length = h.HeaderSize + int(h.SkippableSize)
	for last := h.Skippable; !last; {
		if length+3 > len(body) {
			return 0, 0, io.ErrUnexpectedEOF
		}
		block := int(body[length]) | int(body[length+1])<<8 | int(body[length+2])<<16
		last = block&1 == 1
		if length += 3; block>>1&3 == 1 { // one byte, repeated
			length++
		} else {
			length += block >> 3
		}
	}
	if h.HasCheckSum {
		length += 4
	}
	if length > len(body) {
		return 0, 0, io.ErrUnexpectedEOF
	}
	return length, h.FrameContentSize, nil
}
