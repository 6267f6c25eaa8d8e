package gateway

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// account is the id in the events.
const account = "000000000000"

// route is a route of the HTTP API. stream is the parameter in its path, or empty.
type route struct{ key, stream string }

// match finds the route of a request. The one route for posts is greedy: the
// parameter is "orders", "orders/" or "orders/batch", and the function tells them
// apart.
func match(r *http.Request) (route, bool) {
	path := r.URL.EscapedPath()
	if r.Method == http.MethodGet && path == "/health" {
		return route{key: "GET /health"}, true
	}
	rest, ok := strings.CutPrefix(path, "/archives/")
	if r.Method != http.MethodPost || !ok || rest == "" {
		return route{}, false
	}
	name, err := url.PathUnescape(rest)
	if err != nil {
		return route{}, false
	}
	return route{key: "POST /archives/{stream+}", stream: name}, true
}

// newEvent returns the event of a request in payload format 2.0. It reads the body to
// its end. If the event is larger than Lambda accepts, the error is errTooLarge. The
// caller gives the event back with recycle.
//
// Every post passes here, so the event is appended field by field. encoding/json takes
// three times as long for the event of a small body.
func newEvent(r *http.Request, body io.Reader, to route, requestID string, now time.Time) ([]byte, error) {
	asText := isText(r.Header.Get("Content-Type"))
	e := eventBuffer(r, asText)
	e = append(e, `{"version":"2.0"`...)
	e = appendField(e, "routeKey", to.key)
	e = appendField(e, "rawPath", r.URL.EscapedPath())
	e = appendField(e, "rawQueryString", r.URL.RawQuery)
	e = appendCookies(e, r.Header["Cookie"])
	e = appendHeaders(e, r)
	if r.URL.RawQuery != "" {
		e = append(e, `,"queryStringParameters":`...)
		e = appendObject(e, r.URL.Query())
	}
	if to.stream != "" {
		e = append(e, `,"pathParameters":{"stream":`...)
		e = append(appendQuoted(e, to.stream), '}')
	}
	e = appendContext(e, r, to, requestID, now)
	if r.ContentLength == 0 {
		return append(e, `,"isBase64Encoded":false}`...), nil
	}
	var err error
	if asText {
		e = append(e, `,"isBase64Encoded":false,"body":"`...)
		e, err = appendText(e, body)
	} else {
		e = append(e, `,"isBase64Encoded":true,"body":"`...)
		e, err = appendBase64(e, body)
	}
	if err != nil {
		return nil, err
	}
	return append(e, `"}`...), nil
}

const (
	// headBytes is the usual size of an event without its body.
	headBytes = 2 << 10
	// smallEvent is the capacity up to which the buffer of an event is used again.
	smallEvent = 16 << 10
)

// smallEvents has buffers of smallEvent bytes.
var smallEvents = sync.Pool{New: func() any { return new([smallEvent]byte) }}

// eventBuffer returns an empty buffer for the event of a request.
func eventBuffer(r *http.Request, asText bool) []byte {
	size := max(0, r.ContentLength)
	if !asText {
		size = size/3*4 + 4
	}
	if size += headBytes; size <= smallEvent {
		return smallEvents.Get().(*[smallEvent]byte)[:0]
	}
	return make([]byte, 0, min(size, headBytes+maxEventBytes))
}

// recycle uses the memory of an event again.
func recycle(event []byte) {
	if cap(event) == smallEvent {
		smallEvents.Put((*[smallEvent]byte)(event[:smallEvent]))
	}
}

func appendContext(e []byte, r *http.Request, to route, requestID string, now time.Time) []byte {
	e = append(e, `,"requestContext":{"accountId":"`+account+`","stage":"$default","apiId":"local","domainPrefix":"local"`...)
	e = appendField(e, "routeKey", to.key)
	e = appendField(e, "requestId", requestID)
	e = appendField(e, "domainName", r.Host)
	e = append(e, `,"time":"`...)
	e = now.UTC().AppendFormat(e, "02/Jan/2006:15:04:05 -0700")
	e = append(e, `","timeEpoch":`...)
	e = strconv.AppendInt(e, now.UnixMilli(), 10)
	e = append(e, `,"http":{"method":`...)
	e = appendQuoted(e, r.Method)
	e = appendField(e, "path", r.URL.Path)
	e = appendField(e, "protocol", r.Proto)
	e = appendField(e, "sourceIp", sourceIP(r))
	e = appendField(e, "userAgent", r.UserAgent())
	return append(e, "}}"...)
}

// appendHeaders appends the headers with their names in lower case. API Gateway adds
// some, and passes cookies separately.
func appendHeaders(e []byte, r *http.Request) []byte {
	e = append(e, `,"headers":{"host":`...)
	e = appendQuoted(e, r.Host)
	e = appendField(e, "x-forwarded-for", sourceIP(r))
	e = appendField(e, "x-forwarded-proto", "http")
	if r.ContentLength >= 0 {
		e = append(e, `,"content-length":"`...)
		e = append(strconv.AppendInt(e, r.ContentLength, 10), '"')
	}
	for name, values := range r.Header {
		switch name {
		case "Cookie", "Host", "Content-Length", "X-Forwarded-For", "X-Forwarded-Proto":
			continue
		}
		e = append(e, ',')
		from := len(e)
		e = appendQuoted(e, name)
		for i, c := range e[from:] {
			if 'A' <= c && c <= 'Z' {
				e[from+i] = c + 'a' - 'A'
			}
		}
		e = append(e, ':')
		e = appendJoined(e, values)
	}
	return append(e, '}')
}

func appendCookies(e []byte, lines []string) []byte {
	if len(lines) == 0 {
		return e
	}
	e = append(e, `,"cookies":[`...)
	for _, line := range lines {
		for cookie := range strings.SplitSeq(line, ";") {
			e = appendQuoted(e, strings.TrimSpace(cookie))
			e = append(e, ',')
		}
	}
	e[len(e)-1] = ']'
	return e
}

// appendObject appends an object with one value for each name.
func appendObject(e []byte, values url.Values) []byte {
	e = append(e, '{')
	for name, list := range values {
		e = append(appendQuoted(e, name), ':')
		e = append(appendJoined(e, list), ',')
	}
	if e[len(e)-1] == ',' {
		e = e[:len(e)-1]
	}
	return append(e, '}')
}

// appendJoined appends values as one string, separated by commas.
func appendJoined(e []byte, values []string) []byte {
	if len(values) == 1 {
		return appendQuoted(e, values[0])
	}
	return appendQuoted(e, strings.Join(values, ","))
}

// appendField appends a comma and a field with a text.
func appendField(e []byte, name, value string) []byte {
	e = append(e, `,"`...)
	e = append(e, name...)
	e = append(e, `":`...)
	return appendQuoted(e, value)
}

// appendQuoted appends a JSON string.
func appendQuoted[T string | []byte](e []byte, text T) []byte {
	e, _ = jsontext.AppendQuote(e, text) // Bytes that are not UTF-8 become U+FFFD.
	return e
}

// isText reports whether API Gateway passes a body of this type to the function
// as text. Other bodies are passed as base64.
func isText(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	switch kind {
	case "application/json", "application/xml", "application/javascript":
		return true
	}
	return strings.HasPrefix(kind, "text/")
}

func sourceIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
