package ingest

import (
	"bytes"
)

// request holds the fields of an API Gateway HTTP API event (payload format 2.0)
// that ingest uses. A field aliases the event unless it contains escapes there.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
type request struct {
	method, routeKey, path, query, stage, requestID []byte
	// stream is the path parameter of that name. It can be percent-encoded.
	stream []byte
	// These are the values of headers, nil for a missing header.
	authorization, contentType, contentEncoding, contentLength, transferEncoding, idempotency []byte
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
	contentTypeName      = []byte("content-type")
	contentEncodingName  = []byte("content-encoding")
	contentLengthName    = []byte("content-length")
	transferEncodingName = []byte("transfer-encoding")
	idempotencyKeyName   = []byte("idempotency-key")
)

func (r *request) header(s *scanner, name []byte) {
	switch {
	case bytes.EqualFold(name, authorizationName):
		s.text(&r.authorization)
	case bytes.EqualFold(name, contentTypeName):
		s.text(&r.contentType)
	case bytes.EqualFold(name, contentEncodingName):
		s.text(&r.contentEncoding)
	case bytes.EqualFold(name, contentLengthName):
		s.text(&r.contentLength)
	case bytes.EqualFold(name, transferEncodingName):
		s.text(&r.transferEncoding)
	case bytes.EqualFold(name, idempotencyKeyName):
		s.text(&r.idempotency)
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
