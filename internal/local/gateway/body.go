package gateway

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"unicode/utf8"
)

const (
	// maxPayload is the largest body that API Gateway accepts.
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
	maxPayload = 10 << 20
	// maxEventBytes is the largest event that Lambda accepts.
	// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
	maxEventBytes = 6 << 20
)

// errTooLarge means that a body is larger than API Gateway or Lambda accept.
var errTooLarge = errors.New("body too large")

// maxBody is a length above which no body of the request's type fits into an
// event.
func maxBody(r *http.Request) int64 {
	if isText(r.Header.Get("Content-Type")) {
		return maxEventBytes
	}
	return maxEventBytes / 4 * 3
}

// chunkBytes is how much of a body is encoded at once. It is a multiple of 3, so
// that the encoded chunks can be joined.
const chunkBytes = 48 << 10

var chunks = sync.Pool{New: func() any { return new([chunkBytes]byte) }}

func appendBase64(event []byte, body io.Reader) ([]byte, error) {
	return appendBody(event, body, func(event, chunk []byte, _ bool) ([]byte, int) {
		return base64.StdEncoding.AppendEncode(event, chunk), len(chunk)
	})
}

// appendText appends a body as the inside of a JSON string. A JSON string holds
// UTF-8 only, so each other byte becomes U+FFFD.
func appendText(event []byte, body io.Reader) ([]byte, error) {
	return appendBody(event, body, func(event, chunk []byte, last bool) ([]byte, int) {
		if !last {
			chunk = wholeCharacters(chunk)
		}
		from := len(event)
		event = appendQuoted(event, chunk)
		inside := event[from+1 : len(event)-1]
		return append(event[:from], inside...), len(chunk)
	})
}

// wholeCharacters returns text without a character that is cut off at its end.
func wholeCharacters(text []byte) []byte {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if end := text[len(text)-n:]; utf8.RuneStart(end[0]) {
			if !utf8.FullRune(end) {
				return text[:len(text)-n]
			}
			break
		}
	}
	return text
}

// appendBody reads a body to its end and appends it to the event chunk by chunk.
// encode returns how many bytes of the chunk it has used.
func appendBody(event []byte, body io.Reader, encode func(event, chunk []byte, last bool) ([]byte, int)) ([]byte, error) {
	held := chunks.Get().(*[chunkBytes]byte)
	defer chunks.Put(held)
	chunk := held[:]
	kept, read := 0, 0
	for {
		n, last, err := fill(body, chunk[kept:])
		if err != nil {
			return nil, fmt.Errorf("reading the body: %w", err)
		}
		var used int
		event, used = encode(event, chunk[:kept+n], last)
		kept = copy(chunk, chunk[used:kept+n])
		if read += n; read > maxPayload || len(event) > maxEventBytes {
			return nil, errTooLarge
		}
		if last {
			return event, nil
		}
	}
}

// fill reads until chunk is full or the body ends. It differs from io.ReadFull in
// that io.ErrUnexpectedEOF means only that the client has disconnected.
func fill(body io.Reader, chunk []byte) (n int, last bool, err error) {
	for n < len(chunk) {
		m, err := body.Read(chunk[n:])
		n += m
		if err == io.EOF {
			return n, true, nil
		}
		if err != nil {
			return n, false, err
		}
	}
	return n, false, nil
}
