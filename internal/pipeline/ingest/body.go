package ingest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strconv"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// errMalformedBody means that the body of the event is not a JSON string.
var errMalformedBody = errors.New("parsing the event: malformed body")

// body returns the body in the form that the stream's format keeps, or a refusal.
// The body does not alias the event. A body of a raw stream is never decoded.
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
		f := badEncoding("the body does not match its Content-Encoding; its Content-Type is a text type, which cannot carry compressed bytes: " +
			"send it with Content-Type application/octet-stream")
		return nil, &f, nil
	case err != nil:
		f := badEncoding("the body does not match its Content-Encoding")
		return nil, &f, nil
	case len(decoded) == 0:
		return nil, &emptyBody, nil
	}
	return decoded, nil, nil
}

// received returns the body as the client sent it, or a refusal if it is larger
// than limit. The limit is checked before anything is decoded.
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
		if r.bodyAsIs && len(body) == len(r.body) { // body may alias the event
			body = bytes.Clone(body)
		}
		return body, nil, nil
	}
	decoded := make([]byte, base64.StdEncoding.DecodedLen(len(body)))
	n, err := base64.StdEncoding.Decode(decoded, body)
	// The decoder skips line ends, which are not valid here. Then n differs from size.
	if err != nil || n != size || len(body)%4 != 0 {
		f := badEncoding("the event says that the body is base64, but it is not")
		return nil, &f, nil
	}
	return decoded[:n], nil, nil
}
