package ingest_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// textual reports whether API Gateway passes bodies of the type on as text.
func textual(contentType string) bool {
	for _, part := range []string{"text/", "application/json", "application/xml", "application/javascript"} {
		if strings.HasPrefix(contentType, part) {
			return true
		}
	}
	return false
}

// event returns the event that API Gateway makes of a request.
func event(tb testing.TB, r *http.Request) events.APIGatewayV2HTTPRequest {
	tb.Helper()
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "$default", RawPath: r.URL.EscapedPath(), RawQueryString: r.URL.RawQuery, Headers: map[string]string{"host": "api"},
	}
	for name, values := range r.Header {
		e.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	e.RequestContext.Stage, e.RequestContext.RequestID, e.RequestContext.HTTP.Method = "$default", "request-1", r.Method
	if name, ok := strings.CutPrefix(r.URL.Path, "/archives/"); ok && name != "" {
		e.RouteKey, e.PathParameters = "POST /archives/{stream+}", map[string]string{"stream": name}
	}
	if r.Body == nil {
		return e
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		tb.Fatal(err)
	}
	e.Headers["content-length"] = strconv.Itoa(len(body))
	if textual(r.Header.Get("Content-Type")) {
		e.Body = strings.ToValidUTF8(string(body), "\uFFFD")
	} else {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return e
}

// invoke passes an event to the Handler and returns its response.
func (s *service) invoke(ctx context.Context, e events.APIGatewayV2HTTPRequest) *http.Response {
	s.tb.Helper()
	raw, err := json.Marshal(e)
	if err != nil {
		s.tb.Fatal(err)
	}
	out, err := s.handler.Invoke(ctx, raw)
	if err != nil {
		s.tb.Fatalf("Invoke: %v", err)
	}
	// The runtime reuses the event's memory, so nothing may alias it.
	clear(raw)
	var answer events.APIGatewayV2HTTPResponse
	d := json.NewDecoder(bytes.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(&answer); err != nil {
		s.tb.Fatalf("response %q is not in API Gateway's format: %v", out, err)
	}
	if !utf8.Valid(out) {
		s.tb.Errorf("response %q is not UTF-8", out)
	}
	response := &http.Response{StatusCode: answer.StatusCode, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer.Body))}
	for name, value := range answer.Headers {
		response.Header.Set(name, value)
	}
	return response
}

// RoundTrip lets an http.Client talk to the Handler.
func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	return s.invoke(r.Context(), event(s.tb, r)), nil
}

// post returns a valid request, which change can modify.
func post(tb testing.TB, body string, change ...func(*http.Request)) *http.Request {
	tb.Helper()
	r, err := http.NewRequest(http.MethodPost, "https://api/archives/orders", strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	r.SetBasicAuth("datasink", "hunter2")
	for _, c := range change {
		c(r)
	}
	return r
}

func with(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func as(user, password string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

// at replaces the path and the query. target is percent-encoded.
func at(target string) func(*http.Request) {
	return func(r *http.Request) {
		u, err := r.URL.Parse(target)
		if err != nil {
			panic(err)
		}
		r.URL = u
	}
}
