// Package walk reads the JSON event of an invocation in one pass, without decoding the
// parts that the function does not use.
package walk

import (
	"bytes"
	"fmt"
)

// maxDepth is the maximum nesting depth of values, as in encoding/json.
const maxDepth = 10_000

// Walker reads one JSON value after another. It accepts the same JSON as
// encoding/json, except for the strings that Plain reads. It keeps the first error.
// After an error it is at the end of the event, so every method returns immediately.
type Walker struct {
	b     []byte
	i     int
	depth int
	err   error
}

// New returns a Walker at the beginning of an event. The event must not change while
// it or the bytes that it returns are in use.
func New(event []byte) *Walker { return &Walker{b: event} }

// Err returns the first error.
func (s *Walker) Err() error { return s.err }

// End sets an error if data follows.
func (s *Walker) End() {
	if s.space(); s.err == nil && s.i < len(s.b) {
		s.Fail("the end")
	}
}

// Fail sets the error, unless there is one. The error contains the position, but no
// part of the event.
func (s *Walker) Fail(want string) {
	if s.err == nil {
		s.err = fmt.Errorf("malformed at byte %d of %d: want %s", s.i, len(s.b), want)
	}
	s.i = len(s.b)
}

// peek returns the next byte, or 0 at the end.
func (s *Walker) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *Walker) space() {
	for s.i < len(s.b) && (s.b[s.i] == ' ' || s.b[s.i] == '\n' || s.b[s.i] == '\r' || s.b[s.i] == '\t') {
		s.i++
	}
}

// take consumes the next byte if it is c, and reports whether it did.
func (s *Walker) take(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

func (s *Walker) expect(c byte) {
	if !s.take(c) {
		s.Fail(string(rune(c)))
	}
}

func (s *Walker) literal(word string) {
	if !bytes.HasPrefix(s.b[s.i:], []byte(word)) {
		s.Fail(word)
		return
	}
	s.i += len(word)
}

// Object calls member for each member of an object. member must read the value. Null
// has no members.
func (s *Walker) Object(member func(name []byte)) {
	if s.space(); s.peek() == 'n' {
		s.literal("null")
		return
	}
	s.nested('{', '}', func() {
		var name []byte
		if s.space(); s.peek() != '"' {
			s.Fail("a name")
		}
		s.Text(&name)
		s.space()
		s.expect(':')
		if s.err == nil {
			member(name)
		}
	})
}

// Array calls element for each element of an array. element must read it. Null has no
// elements.
func (s *Walker) Array(element func()) {
	if s.space(); s.peek() == 'n' {
		s.literal("null")
		return
	}
	s.nested('[', ']', element)
}

// nested calls element for each element between open and end.
func (s *Walker) nested(open, end byte, element func()) {
	if s.depth++; s.depth > maxDepth {
		s.Fail("less depth")
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

// Text reads a string. Null leaves into unchanged.
func (s *Walker) Text(into *[]byte) { s.longText(into, 64) }

// longText is like text. A string with escapes gets an initial capacity of room.
func (s *Walker) longText(into *[]byte, room int) {
	if s.space(); s.peek() == 'n' {
		s.literal("null")
		return
	}
	s.expect('"')
	text, n, ok := Unescape(s.b[s.i:], room)
	s.i += n
	if !ok || !s.take('"') {
		s.Fail("a well-formed string")
		return
	}
	*into = text
}

// Plain reads a string. It reports whether the string has no escapes. Such a string is
// only searched for its end, which is fast: its characters are not validated.
func (s *Walker) Plain(into *[]byte) bool {
	if s.space(); s.peek() == '"' {
		rest := s.b[s.i+1:]
		end := bytes.IndexByte(rest, '"')
		if end >= 0 && bytes.IndexByte(rest[:end], '\\') < 0 {
			*into = rest[:end:end]
			s.i += end + 2
			return true
		}
	}
	s.longText(into, len(s.b)-s.i)
	return false
}

// Raw reads any value as it is in the event. Null leaves into unchanged.
func (s *Walker) Raw(into *[]byte) {
	s.space()
	start, null := s.i, s.peek() == 'n'
	if s.Skip(); s.err == nil && !null {
		*into = s.b[start:s.i:s.i]
	}
}

// TextIf reads a string if it is wanted, and skips any value otherwise.
func (s *Walker) TextIf(wanted bool, into *[]byte) {
	if wanted {
		s.Text(into)
		return
	}
	s.Skip()
}

// Bool reads a truth value. Null leaves into unchanged.
func (s *Walker) Bool(into *bool) {
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

// Skip reads any value and discards it.
func (s *Walker) Skip() {
	var text []byte
	var truth bool
	switch s.space(); s.peek() {
	case '{':
		s.Object(func([]byte) { s.Skip() })
	case '[':
		s.Array(s.Skip)
	case '"':
		s.Text(&text)
	case 't', 'f', 'n':
		s.Bool(&truth)
	default:
		s.number()
	}
}

func (s *Walker) number() {
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

func (s *Walker) digits() {
	start := s.i
	for '0' <= s.peek() && s.peek() <= '9' {
		s.i++
	}
	if s.i == start {
		s.Fail("a value")
	}
}
