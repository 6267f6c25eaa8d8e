package ingest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strconv"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/pipeline/walk"
)

// errMalformedBody means that the body of the event is not a JSON string.
var errMalformedBody = errors.New("parsing the event: malformed body")

// body returns the body in the form that the stream's format keeps. The error is a
// refusal or errMalformedBody. The body does not alias the event. A body of a raw
// stream is never decoded.
func (h *Handler) body(r *request, format stream.Format) ([]byte, error) {
	received, err := r.received(h.config.MaxBodyBytes)
	if err != nil {
		return nil, err
	}
	coding, supported := codingOf(r.contentEncoding)
	compressed := coding != identity || !supported && format == stream.Raw
	switch {
	case !r.isBase64 && len(received) > 0 && compressed:
		return nil, &compressedText
	case !r.isBase64 && r.lengthDiffers(len(received)):
		return nil, &alteredBody
	case len(received) == 0:
		return nil, &emptyBody
	case !supported && format == stream.Lines:
		return nil, &unsupportedEncoding
	case format == stream.Raw:
		return received, nil
	}
	decoded, err := h.unpacker.unpack(coding, received)
	switch {
	case err != nil:
		return nil, h.undecodable(err)
	case len(decoded) == 0:
		return nil, &emptyBody
	}
	return decoded, nil
}

// undecodable returns the refusal of a body that the unpacker does not decode.
func (h *Handler) undecodable(err error) error {
	if large, ok := errors.AsType[*tooLargeError](err); ok {
		return tooLarge("decoded", large.Error(), h.config.MaxDecodedBytes)
	}
	return &badEncoding
}

// received returns the body as the client sent it, or a refusal if it is larger
// than limit. The limit is checked before anything is decoded.
func (r *request) received(limit int) ([]byte, error) {
	body := r.body
	if r.bodyAsIs && !r.isBase64 {
		text, _, ok := walk.Unescape(body, len(body))
		if !ok {
			return nil, errMalformedBody
		}
		body = text
	}
	size := len(body)
	if r.isBase64 {
		size = base64.StdEncoding.DecodedLen(size) - bytes.Count(body[max(0, size-2):], []byte("="))
	}
	if size > limit {
		return nil, tooLarge("received", strconv.Itoa(size)+" bytes", limit)
	}
	if !r.isBase64 {
		if r.bodyAsIs && len(body) == len(r.body) { // body may alias the event
			body = bytes.Clone(body)
		}
		return body, nil
	}
	decoded := make([]byte, base64.StdEncoding.DecodedLen(len(body)))
	n, err := base64.StdEncoding.Decode(decoded, body)
	// The decoder skips line ends, which are not valid here. Then n differs from size.
	if err != nil || n != size || len(body)%4 != 0 {
		return nil, &badBase64
	}
	return decoded[:n], nil
}

// lengthDiffers reports whether the client stated a body length other than size
// bytes. API Gateway replaces bytes that are not UTF-8 in a text body, which
// changes its length.
func (r *request) lengthDiffers(size int) bool {
	if r.transferEncoding != nil {
		return false
	}
	stated, err := strconv.ParseUint(string(r.contentLength), 10, 63)
	return err == nil && stated != uint64(size) // #nosec G115 -- a size is not negative.
}

// Prefixes of compressed bodies.
var (
	gzipPrefix = []byte{0x1f, 0x8b, 8}
	zstdPrefix = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// isUndeclared reports whether the body of a lines stream, which has no content
// encoding, begins like gzip or zstd.
func (r *request) isUndeclared(body []byte, format stream.Format) bool {
	if format != stream.Lines || !bytes.HasPrefix(body, gzipPrefix) && !bytes.HasPrefix(body, zstdPrefix) {
		return false
	}
	coding, _ := codingOf(r.contentEncoding)
	return coding == identity
}
