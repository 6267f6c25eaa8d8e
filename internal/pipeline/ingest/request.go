package ingest

import (
	"bytes"
	"fmt"
)

// request holds the fields of an API Gateway HTTP API event (payload format 2.0)
// that ingest uses. A field aliases the event unless it contains escapes there.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
type request struct {
	method, routeKey, path, query, stage, requestID []byte
	// stream is the path parameter of that name. It can be percent-encoded.
	stream []byte
	// These are the values of headers, nil for a missing header.
	authorization, contentEncoding, contentLength, transferEncoding []byte
	// body is the body as in the event. If bodyAsIs is set, the body has no escapes
	// and was not validated. A body in base64 needs no other validation than its
	// decoding.
	body               []byte
	bodyAsIs, isBase64 bool
}

// parseRequest extracts the fields of a request from an event in one pass, without
// decoding the others. BenchmarkInvoke compares it with encoding/json.
//
// It accepts the same JSON as encoding/json, with two differences: field names are
// case sensitive, and the characters of a body without escapes are not validated.
// A value of the wrong type is an error. Null is a missing value. The last of
// duplicate fields is used.
func parseRequest(event []byte) (request, error) {
	var r request
	s := scanner{b: event}
	if s.space(); s.peek() != '{' {
		s.fail("an object")
	}
	s.object(func(name []byte) {
		switch string(name) {
		case "routeKey":
			s.text(&r.routeKey)
		case "rawPath":
			s.text(&r.path)
		case "rawQueryString":
			s.text(&r.query)
		case "headers":
			s.object(func(name []byte) { r.header(&s, name) })
		case "pathParameters":
			s.object(func(name []byte) { s.textIf(string(name) == "stream", &r.stream) })
		case "requestContext":
			s.object(func(name []byte) { r.context(&s, name) })
		case "isBase64Encoded":
			s.boolean(&r.isBase64)
		case "body":
			r.readBody(&s)
		default:
			s.skip()
		}
	})
	if s.space(); s.err == nil && s.i < len(s.b) {
		s.fail("the end")
	}
	return r, s.err
}

// readBody reads the body. A body without escapes, such as base64, is only
// searched for its end, which is fast.
func (r *request) readBody(s *scanner) {
	if r.bodyAsIs { // the event has a duplicate body
		if _, _, ok := unescape(r.body, 0); !ok {
			s.fail("a well-formed body before this")
		}
	}
	if s.space(); s.peek() == '"' {
		rest := s.b[s.i+1:]
		end := bytes.IndexByte(rest, '"')
		if end >= 0 && bytes.IndexByte(rest[:end], '\\') < 0 {
			r.body, r.bodyAsIs = rest[:end:end], true
			s.i += end + 2
			return
		}
	}
	s.longText(&r.body, len(s.b)-s.i)
	r.bodyAsIs = false
}

// Names of the headers in lower case.
var (
	authorizationName    = []byte("authorization")
	contentEncodingName  = []byte("content-encoding")
	contentLengthName    = []byte("content-length")
	transferEncodingName = []byte("transfer-encoding")
)

func (r *request) header(s *scanner, name []byte) {
	switch {
	case bytes.EqualFold(name, authorizationName):
		s.text(&r.authorization)
	case bytes.EqualFold(name, contentEncodingName):
		s.text(&r.contentEncoding)
	case bytes.EqualFold(name, contentLengthName):
		s.text(&r.contentLength)
	case bytes.EqualFold(name, transferEncodingName):
		s.text(&r.transferEncoding)
	default:
		s.skip()
	}
}

func (r *request) context(s *scanner, name []byte) {
	switch string(name) {
	case "requestId":
		s.text(&r.requestID)
	case "stage":
		s.text(&r.stage)
	case "http":
		s.object(func(name []byte) { s.textIf(string(name) == "method", &r.method) })
	default:
		s.skip()
	}
}

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
