// Package apitest sends HTTP requests in tests.
package apitest

import (
	"context"
	"io"
	"net/http"
	"testing"
)

// Request returns a request whose context ends with the test. contentType may be empty.
func Request(tb testing.TB, method, url, contentType string, body io.Reader) *http.Request {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), method, url, body)
	if err != nil {
		tb.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

// Do sends a request with a client and returns the response's status, header and body.
// A request without a response fails the test.
func Do(tb testing.TB, client *http.Client, r *http.Request) (status int, header http.Header, body string) {
	tb.Helper()
	response, err := client.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return response.StatusCode, response.Header, string(content)
}

// Host is an HTTP client of an AWS SDK that fails each request and keeps the host of
// the last one. It is not safe for concurrent use.
type Host string

// Do keeps the host of a request.
func (h *Host) Do(r *http.Request) (*http.Response, error) {
	*h = Host(r.URL.Host)
	return nil, context.Canceled
}
