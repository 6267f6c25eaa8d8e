package page

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
)

// previewInput is the number of bytes that preview reads at most: gzip can
// decompress much input to little output.
const previewInput = 1 << 20

// preview returns the beginning of the bytes of r as text: at most limit bytes,
// decompressed if they are gzip, and as a hex dump if they are not text.
func preview(r io.Reader, limit int) string {
	head, rest := peek(io.LimitReader(r, previewInput), 2)
	r = io.MultiReader(bytes.NewReader(head), rest)
	if bytes.Equal(head, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(r)
		if err != nil {
			return fmt.Sprintf("(damaged gzip: %v)", err)
		}
		r = z
	}
	b, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	note := ""
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF): // The body was cut.
		note = "…"
	case err != nil:
		note = fmt.Sprintf(" (damaged gzip: %v)", err)
	}
	if len(b) > limit {
		b, note = b[:limit], "…"
		for i := 0; i < utf8.UTFMax-1 && !utf8.Valid(b); i++ {
			b = b[:len(b)-1] // The limit has cut a character.
		}
	}
	if !isText(b) {
		return strings.TrimRight(hex.Dump(b[:min(len(b), limit/4)]), "\n") + note
	}
	return string(b) + note
}

// peek returns the first n bytes of r, or fewer if r is shorter, and the rest.
func peek(r io.Reader, n int) ([]byte, io.Reader) {
	head := make([]byte, n)
	read, _ := io.ReadFull(r, head) // The next read returns the same error.
	return head[:read], r
}

// isText reports whether b is UTF-8 without control characters other than white
// space.
func isText(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for _, c := range string(b) {
		if unicode.IsControl(c) && c != '\n' && c != '\r' && c != '\t' {
			return false
		}
	}
	return true
}
