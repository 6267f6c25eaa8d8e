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

// prepared is a client's protocol for one call whose JSON body is already encoded.
//
// The SDK's own serializer grows and copies its output in each call and used half
// of the drainer's CPU. Encoding into memory that is reused takes a fifth of that.
// A test compares the two encodings.
type prepared struct {
	smithyhttp.ClientProtocol
	body []byte
	// allOK reports whether an answer says that every entry was accepted. The SDK
	// does not parse such an answer. May be nil.
	allOK func(answer []byte) bool
}

// prepare replaces a client's own protocol by p. It returns the client's protocol
// unchanged if that is not JSON 1.1, as it may be in a later version of the SDK.
func prepare(protocol smithyhttp.ClientProtocol, p prepared) smithyhttp.ClientProtocol {
	if protocol == nil || protocol.ID().Name != "awsJson1_1" {
		return protocol
	}
	p.ClientProtocol = protocol
	return p
}

// SerializeRequest lets the SDK build everything of the request except its body.
func (p prepared) SerializeRequest(ctx context.Context, operation *smithy.OperationSchema, in smithy.Serializable, r *smithyhttp.Request) error {
	withoutInput := *operation
	withoutInput.Input = nil
	if err := p.ClientProtocol.SerializeRequest(ctx, &withoutInput, in, r); err != nil {
		return err
	}
	withBody, err := r.SetStream(plainReader{bytes.NewReader(p.body)})
	if err != nil {
		return err
	}
	*r = *withBody
	return nil
}

// plainReader hides the WriteTo method of a reader.
//
// The SDK closes the body of a request when the answer arrives. WriteTo of a closed
// body returns io.EOF as an error, but Read reports a normal end. net/http reads once
// more after the last byte. If the answer has arrived by then, net/http treats the
// error of WriteTo as a failed request and closes the connection, sometimes in the
// middle of the answer: the service had accepted the entries, and they were sent
// again.
type plainReader struct{ io.ReadSeeker }

// DeserializeResponse leaves the output empty if every entry was accepted.
func (p prepared) DeserializeResponse(
	ctx context.Context, operation *smithy.OperationSchema, types *smithy.TypeRegistry, r *smithyhttp.Response, out smithy.Deserializable,
) error {
	if p.allOK == nil || r.StatusCode != http.StatusOK {
		return p.ClientProtocol.DeserializeResponse(ctx, operation, types, r, out)
	}
	buf := answers.Get().(*bytes.Buffer)
	defer answers.Put(buf)
	buf.Reset()
	if _, err := buf.ReadFrom(r.Body); err != nil {
		return &smithy.DeserializationError{Err: err}
	}
	if p.allOK(buf.Bytes()) {
		return nil
	}
	r.Body = io.NopCloser(bytes.NewReader(buf.Bytes()))
	return p.ClientProtocol.DeserializeResponse(ctx, operation, types, r, out)
}

// answers holds buffers for answers.
var answers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// payloads holds request bodies for reuse. A body can be reused once the client has
// returned, because the client then does not read it any more: it closes the
// request's body under a lock.
var payloads = sync.Pool{New: func() any { return new([]byte) }}

// appendPayload appends the JSON body of a call. streamField is the operation's name
// for the stream. withKeys includes the partition keys, which only Kinesis has.
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

// appendString appends a JSON string. It avoids encoding/json for the usual strings
// that need no escapes.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil {
				panic(err) // encoding/json marshals every string
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
