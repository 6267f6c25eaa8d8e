package ingest

import (
	"bytes"
	"fmt"
)

// maxDepth is the maximum nesting depth of values, as in encoding/json.
const maxDepth = 10_000

// scanner reads JSON. It keeps the first error. After an error it is at the end of
// its input, so every method returns immediately.
type scanner struct {
	b     []byte
	i     int
	depth int
	err   error
}

// fail sets the error. The error contains the position, but no part of the event.
func (s *scanner) fail(want string) {
	if s.err == nil {
		s.err = fmt.Errorf("malformed at byte %d of %d: want %s", s.i, len(s.b), want)
	}
	s.i = len(s.b)
}

// peek returns the next byte, or 0 at the end.
func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) space() {
	for s.i < len(s.b) && (s.b[s.i] == ' ' || s.b[s.i] == '\n' || s.b[s.i] == '\r' || s.b[s.i] == '\t') {
		s.i++
	}
}

// take consumes the next byte if it is c, and reports whether it did.
func (s *scanner) take(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

func (s *scanner) expect(c byte) {
	if !s.take(c) {
		s.fail(string(rune(c)))
	}
}

func (s *scanner) literal(word string) {
	if !bytes.HasPrefix(s.b[s.i:], []byte(word)) {
		s.fail(word)
		return
	}
	s.i += len(word)
}

// object calls member for each member of an object. member must consume the value.
// Null is read as an object without members.
func (s *scanner) object(member func(name []byte)) {
	if s.space(); s.peek() == 'n' {
		s.literal("null")
		return
	}
	s.nested('{', '}', func() {
		var name []byte
		if s.space(); s.peek() != '"' {
			s.fail("a name")
		}
		s.text(&name)
		s.space()
		s.expect(':')
		if s.err == nil {
			member(name)
		}
	})
}

// nested calls element for each element between open and end.
func (s *scanner) nested(open, end byte, element func()) {
	if s.depth++; s.depth > maxDepth {
		s.fail("less depth")
	}
	s.expect(open)
	s.space()
	for more := !s.take(end); more && s.err == nil; {
		element()
		s.space()
		if more = s.take(','); !more {
			s.expect(end)
		}
	}
	s.depth--
}

// text reads a string. Null leaves into unchanged.
func (s *scanner) text(into *[]byte) { s.longText(into, 64) }

// longText is like text. A string with escapes gets an initial capacity of room.
func (s *scanner) longText(into *[]byte, room int) {
	if s.space(); s.peek() == 'n' {
		s.literal("null")
		return
	}
	s.expect('"')
	text, n, ok := unescape(s.b[s.i:], room)
	s.i += n
	if !ok || !s.take('"') {
		s.fail("a well-formed string")
		return
	}
	*into = text
}

func (s *scanner) textIf(wanted bool, into *[]byte) {
	if wanted {
		s.text(into)
		return
	}
	s.skip()
}

func (s *scanner) boolean(into *bool) {
	switch s.space(); s.peek() {
	case 't':
		*into = true
		s.literal("true")
	case 'f':
		*into = false
		s.literal("false")
	default:
		s.literal("null")
	}
}

// skip reads any value and discards it.
func (s *scanner) skip() {
	var text []byte
	var truth bool
	switch s.space(); s.peek() {
	case '{':
		s.object(func([]byte) { s.skip() })
	case '[':
		s.nested('[', ']', s.skip)
	case '"':
		s.text(&text)
	case 't', 'f', 'n':
		s.boolean(&truth)
	default:
		s.number()
	}
}

func (s *scanner) number() {
	s.take('-')
	if !s.take('0') {
		s.digits()
	}
	if s.take('.') {
		s.digits()
	}
	if s.take('e') || s.take('E') {
		if !s.take('-') {
			s.take('+')
		}
		s.digits()
	}
}

func (s *scanner) digits() {
	start := s.i
	for '0' <= s.peek() && s.peek() <= '9' {
		s.i++
	}
	if s.i == start {
		s.fail("a value")
	}
}
