package ingest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strconv"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// errMalformedBody says that the body of the event is no JSON string.
var errMalformedBody = errors.New("parsing the event: malformed body")

// body returns the body as the stream's format keeps it, in memory of its own,
// or says why there is none. A raw body is never decoded.
func (h *Handler) body(r *request, format stream.Format) ([]byte, *refusal, error) {
	received, refused, err := r.received(h.config.MaxBodyBytes)
	if refused != nil || err != nil {
		return nil, refused, err
	}
	if len(received) == 0 {
		return nil, &emptyBody, nil
	}
	if format == stream.Raw {
		return received, nil, nil
	}
	coding, ok := codingOf(r.contentEncoding)
	if !ok {
		return nil, &unsupportedEncoding, nil
	}
	decoded, err := h.unpacker.unpack(coding, received)
	var large *tooLargeError
	switch {
	case errors.As(err, &large):
		f := tooLarge("decoded", large.Error(), h.config.MaxDecodedBytes)
		return nil, &f, nil
	case err != nil && !r.isBase64:
		f := badEncoding("the body does not decode as its Content-Encoding says; it came as text, which cannot hold compressed bytes: " +
			"send it with Content-Type application/octet-stream")
		return nil, &f, nil
	case err != nil:
		f := badEncoding("the body does not decode as its Content-Encoding says")
		return nil, &f, nil
	case len(decoded) == 0:
		return nil, &emptyBody, nil
	}
	return decoded, nil, nil
}

// received returns the body as the client sent it, if it is within the limit.
// The limit is held before anything is decoded.
func (r *request) received(limit int) ([]byte, *refusal, error) {
	body := r.body
	if r.bodyAsIs && !r.isBase64 {
		text, _, ok := unescape(body, len(body))
		if !ok {
			return nil, nil, errMalformedBody
		}
		body = text
	}
	size := len(body)
	if r.isBase64 {
		size = base64.StdEncoding.DecodedLen(size) - bytes.Count(body[max(0, size-2):], []byte("="))
	}
	if size > limit {
		f := tooLarge("received", strconv.Itoa(size)+" bytes", limit)
		return nil, &f, nil
	}
	if !r.isBase64 {
		if r.bodyAsIs && len(body) == len(r.body) { // it may be the event's own memory
			body = bytes.Clone(body)
		}
		return body, nil, nil
	}
	decoded := make([]byte, base64.StdEncoding.DecodedLen(len(body)))
	n, err := base64.StdEncoding.Decode(decoded, body)
	// The decoder passes over line ends, which do not belong here.
	if err != nil || n != size || len(body)%4 != 0 {
		f := badEncoding("the body is not the base64 that the event says it is")
		return nil, &f, nil
	}
	return decoded[:n], nil, nil
}
