package local

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// maxPayload is the largest body that API Gateway takes.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
const maxPayload = 10 << 20

// errPayload says that a body is larger than API Gateway or Lambda take.
var errPayload = errors.New("payload too large")

// route is a route of the HTTP API, with what the path says.
type route struct {
	key        string
	parameters map[string]string
}

// match finds the route of a request, as API Gateway does: by the path as it was
// sent, so that an encoded slash separates nothing.
func match(r *http.Request) (route, bool) {
	path := r.URL.EscapedPath()
	if r.Method == http.MethodGet && path == "/health" {
		return route{key: "GET /health"}, true
	}
	segment, ok := strings.CutPrefix(path, "/archives/")
	if r.Method != http.MethodPost || !ok || segment == "" || strings.Contains(segment, "/") {
		return route{}, false
	}
	name, err := url.PathUnescape(segment)
	if err != nil {
		return route{}, false
	}
	return route{key: "POST /archives/{stream}", parameters: map[string]string{"stream": name}}, true
}

// gatewayEvent builds the event of an HTTP API for a request, in payload format
// 2.0, reading its body. A body that makes the event larger than Lambda takes is
// errPayload.
func gatewayEvent(r *http.Request, to route, requestID string, now time.Time) ([]byte, error) {
	asText := isText(r.Header.Get("Content-Type"))
	request := events.APIGatewayV2HTTPRequest{
		Version:               "2.0",
		RouteKey:              to.key,
		RawPath:               r.URL.EscapedPath(),
		RawQueryString:        r.URL.RawQuery,
		Headers:               eventHeaders(r),
		QueryStringParameters: joinValues(r.URL.Query(), func(name string) string { return name }),
		PathParameters:        to.parameters,
		IsBase64Encoded:       !asText && r.ContentLength != 0,
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey: to.key, AccountID: account, Stage: "$default", RequestID: requestID, APIID: "local",
			DomainName: r.Host, DomainPrefix: "local", Time: now.UTC().Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: now.UnixMilli(),
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method: r.Method, Path: r.URL.Path, Protocol: r.Proto, SourceIP: sourceIP(r), UserAgent: r.UserAgent(),
			},
		},
	}
	for _, line := range r.Header.Values("Cookie") {
		for cookie := range strings.SplitSeq(line, ";") {
			request.Cookies = append(request.Cookies, strings.TrimSpace(cookie))
		}
	}
	head, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("encoding the request: %w", err)
	}
	if r.ContentLength == 0 {
		return head, nil
	}
	// The body is the largest part by far: it goes straight into the event.
	expected := max(0, r.ContentLength)
	if !asText {
		expected = expected/3*4 + 4
	}
	event := make([]byte, 0, int64(len(head))+64+min(expected, maxEventBytes))
	event = append(event, head[:len(head)-1]...)
	event = append(event, `,"body":"`...)
	if asText {
		event, err = appendText(event, r.Body)
	} else {
		event, err = appendBase64(event, r.Body)
	}
	if err != nil {
		return nil, err
	}
	return append(event, `"}`...), nil
}

// isText reports whether API Gateway passes a body of that type on as text.
func isText(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind, _, _ = strings.Cut(contentType, ";")
		kind = strings.ToLower(strings.TrimSpace(kind))
	}
	switch kind {
	case "application/json", "application/xml", "application/javascript":
		return true
	}
	return strings.HasPrefix(kind, "text/")
}

func eventHeaders(r *http.Request) map[string]string {
	headers := joinValues(url.Values(r.Header), strings.ToLower)
	if headers == nil {
		headers = make(map[string]string)
	}
	delete(headers, "cookie")
	headers["host"] = r.Host
	if r.ContentLength >= 0 {
		headers["content-length"] = fmt.Sprint(r.ContentLength)
	}
	headers["x-forwarded-for"] = sourceIP(r)
	headers["x-forwarded-proto"] = "http"
	return headers
}

// joinValues has one value for each name: several are joined by a comma.
func joinValues(values map[string][]string, rename func(string) string) map[string]string {
	if len(values) == 0 {
		return nil
	}
	joined := make(map[string]string, len(values))
	for name, list := range values {
		joined[rename(name)] = strings.Join(list, ",")
	}
	return joined
}

func sourceIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// chunkBytes is how much of a body is encoded at once; a multiple of 3, so that
// the parts of a base64 text can be joined.
const chunkBytes = 48 << 10

var chunks = sync.Pool{New: func() any { return new([chunkBytes]byte) }}

func appendBase64(event []byte, body io.Reader) ([]byte, error) {
	return appendBody(event, body, func(event, chunk []byte, _ bool) ([]byte, int) {
		return base64.StdEncoding.AppendEncode(event, chunk), len(chunk)
	})
}

// appendText writes a body as the inside of a JSON string. What is not UTF-8
// cannot stand there: each such byte becomes U+FFFD.
func appendText(event []byte, body io.Reader) ([]byte, error) {
	return appendBody(event, body, func(event, chunk []byte, last bool) ([]byte, int) {
		used := 0
		for used < len(chunk) {
			if !last && !utf8.FullRune(chunk[used:]) {
				break // The rest of the character is still to come.
			}
			char, size := utf8.DecodeRune(chunk[used:])
			event = appendChar(event, char)
			used += size
		}
		return event, used
	})
}

func appendChar(event []byte, char rune) []byte {
	const hex = "0123456789abcdef"
	switch {
	case char == '"' || char == '\\':
		return append(event, '\\', byte(char))
	case char == '\n':
		return append(event, `\n`...)
	case char == '\r':
		return append(event, `\r`...)
	case char == '\t':
		return append(event, `\t`...)
	case char < ' ':
		return append(event, '\\', 'u', '0', '0', hex[char>>4], hex[char&15])
	}
	return utf8.AppendRune(event, char)
}

// appendBody reads a body to its end and has encode append it chunk by chunk;
// encode says how much of a chunk it has used.
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
			return nil, errPayload
		}
		if last {
			return event, nil
		}
	}
}

// fill reads until chunk is full or the body ends. Unlike io.ReadFull it tells
// that end from the one of a client that has gone: io.ErrUnexpectedEOF.
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
