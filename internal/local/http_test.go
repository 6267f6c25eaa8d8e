package local_test

import (
	"io"
	"net/http"
	"testing"
)

func request(tb testing.TB, method, url, contentType string, body io.Reader) *http.Request {
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

// do sends a request and returns the response's status, header and body.
func do(tb testing.TB, r *http.Request) (int, http.Header, string) {
	tb.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return response.StatusCode, response.Header, string(body)
}
