package ingest

import (
	"bytes"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/walk"
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

	began time.Time // when the invocation began
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
	s := walk.New(event)
	if first := bytes.TrimLeft(event, " \t\r\n"); len(first) == 0 || first[0] != '{' {
		s.Fail("an object")
	}
	s.Object(func(name []byte) {
		switch string(name) {
		case "routeKey":
			s.Text(&r.routeKey)
		case "rawPath":
			s.Text(&r.path)
		case "rawQueryString":
			s.Text(&r.query)
		case "headers":
			s.Object(func(name []byte) { r.header(s, name) })
		case "pathParameters":
			s.Object(func(name []byte) { s.TextIf(string(name) == "stream", &r.stream) })
		case "requestContext":
			s.Object(func(name []byte) { r.context(s, name) })
		case "isBase64Encoded":
			s.Bool(&r.isBase64)
		case "body":
			r.readBody(s)
		default:
			s.Skip()
		}
	})
	s.End()
	return r, s.Err()
}

// readBody reads the body. A body without escapes, such as base64, is only
// searched for its end, which is fast.
func (r *request) readBody(s *walk.Walker) {
	if r.bodyAsIs { // the event has a duplicate body
		if _, _, ok := walk.Unescape(r.body, 0); !ok {
			s.Fail("a well-formed body before this")
		}
	}
	r.bodyAsIs = s.Plain(&r.body)
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

func (r *request) header(s *walk.Walker, name []byte) {
	switch {
	case bytes.EqualFold(name, authorizationName):
		s.Text(&r.authorization)
	case bytes.EqualFold(name, contentTypeName):
		s.Text(&r.contentType)
	case bytes.EqualFold(name, contentEncodingName):
		s.Text(&r.contentEncoding)
	case bytes.EqualFold(name, contentLengthName):
		s.Text(&r.contentLength)
	case bytes.EqualFold(name, transferEncodingName):
		s.Text(&r.transferEncoding)
	case bytes.EqualFold(name, idempotencyKeyName):
		s.Text(&r.idempotency)
	default:
		s.Skip()
	}
}

func (r *request) context(s *walk.Walker, name []byte) {
	switch string(name) {
	case "requestId":
		s.Text(&r.requestID)
	case "stage":
		s.Text(&r.stage)
	case "http":
		s.Object(func(name []byte) { s.TextIf(string(name) == "method", &r.method) })
	default:
		s.Skip()
	}
}
