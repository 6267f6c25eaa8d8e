package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// account is the id in the events.
const account = "000000000000"

// route is a route of the HTTP API, and the parameters in the path.
type route struct {
	key        string
	parameters map[string]string
}

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
	return route{key: "POST /archives/{stream+}", parameters: map[string]string{"stream": name}}, true
}

// newEvent returns the event of a request in payload format 2.0. It reads the
// body to its end. If the event is larger than Lambda accepts, the error is
// errTooLarge.
func newEvent(r *http.Request, body io.Reader, to route, requestID string, now time.Time) ([]byte, error) {
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
	// The body is by far the largest part. It is encoded straight into the event.
	expected := max(0, r.ContentLength)
	if !asText {
		expected = expected/3*4 + 4
	}
	event := make([]byte, 0, int64(len(head))+64+min(expected, maxEventBytes))
	event = append(event, head[:len(head)-1]...)
	event = append(event, `,"body":"`...)
	if asText {
		event, err = appendText(event, body)
	} else {
		event, err = appendBase64(event, body)
	}
	if err != nil {
		return nil, err
	}
	return append(event, `"}`...), nil
}

// isText reports whether API Gateway passes a body of this type to the function
// as text. Other bodies are passed as base64.
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

// joinValues returns one value for each name. Several values are joined by commas.
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
