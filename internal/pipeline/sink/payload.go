package sink

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// prepared is the protocol of a client for one call, of which the JSON is ready.
//
// The SDK's own serializer knows no size in advance, and grows and copies its
// output until some 700 KB are there, anew for each call: that was half of all
// CPU that the drainer used. Written at once into memory that is used again, the
// same JSON takes a fifth of that. A test compares the two.
type prepared struct {
	smithyhttp.ClientProtocol
	body []byte
	// allTaken, if there is one, reports whether an answer says that every entry
	// was taken. Then the SDK does not read it.
	allTaken func(answer []byte) bool
}

// prepare puts p in the place of a client's own protocol. A client of a later
// SDK may speak another one than JSON: then it stays as it is.
func prepare(protocol smithyhttp.ClientProtocol, p prepared) smithyhttp.ClientProtocol {
	if protocol == nil || protocol.ID().Name != "awsJson1_1" {
		return protocol
	}
	p.ClientProtocol = protocol
	return p
}

// SerializeRequest has the SDK make everything of the request but its body.
func (p prepared) SerializeRequest(ctx context.Context, operation *smithy.OperationSchema, in smithy.Serializable, r *smithyhttp.Request) error {
	withoutInput := *operation
	withoutInput.Input = nil
	if err := p.ClientProtocol.SerializeRequest(ctx, &withoutInput, in, r); err != nil {
		return err
	}
	withBody, err := r.SetStream(bytes.NewReader(p.body))
	if err != nil {
		return err
	}
	*r = *withBody
	return nil
}

// DeserializeResponse leaves the output empty when all was taken.
func (p prepared) DeserializeResponse(
	ctx context.Context, operation *smithy.OperationSchema, types *smithy.TypeRegistry, r *smithyhttp.Response, out smithy.Deserializable,
) error {
	if p.allTaken == nil || r.StatusCode != http.StatusOK {
		return p.ClientProtocol.DeserializeResponse(ctx, operation, types, r, out)
	}
	buf := answers.Get().(*bytes.Buffer)
	defer answers.Put(buf)
	buf.Reset()
	if _, err := buf.ReadFrom(r.Body); err != nil {
		return &smithy.DeserializationError{Err: err}
	}
	if p.allTaken(buf.Bytes()) {
		return nil
	}
	r.Body = io.NopCloser(bytes.NewReader(buf.Bytes()))
	return p.ClientProtocol.DeserializeResponse(ctx, operation, types, r, out)
}

// answers are buffers for answers.
var answers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// payloads are bodies to be used again. A body may go back when the client has
// returned: until then it may still read it, and no longer (the client closes
// the request's body behind a lock).
var payloads = sync.Pool{New: func() any { return new([]byte) }}

// appendPayload appends the JSON of a call: the entries, and the stream under
// the name that the operation has for it. Only Kinesis has partition keys.
func appendPayload(b []byte, entries []Entry, withKeys bool, streamField, stream string) []byte {
	const before, between, after = `{"Records":[`, `{"Data":"","PartitionKey":""},`, `],"":""}`
	size := len(before) + len(after) + len(streamField) + len(stream)
	for i := range entries {
		size += len(between) + base64.StdEncoding.EncodedLen(len(entries[i].Data)) + len(entries[i].PartitionKey)
	}
	b = append(slices.Grow(b, size), before...)
	for i := range entries {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"Data":"`...)
		b = base64.StdEncoding.AppendEncode(b, entries[i].Data)
		b = append(b, '"')
		if withKeys {
			b = append(b, `,"PartitionKey":`...)
			b = appendString(b, entries[i].PartitionKey)
		}
		b = append(b, '}')
	}
	b = append(b, `],`...)
	b = appendString(b, streamField)
	b = append(b, ':')
	b = appendString(b, stream)
	return append(b, '}')
}

// appendString appends a JSON string. Nearly all keys and names need no escapes.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil {
				panic(err) // a string is no error
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
