//go:build e2e

package e2e_test

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/data-sink/data-sink/internal/rig/apitest"
)

// client sends records to the deployed API.
type client struct {
	http           *http.Client
	url            string
	user, password string
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// code returns the code of a problem document; empty for any other answer.
func (a answer) code() string {
	var problem struct{ Code string }
	_ = json.Unmarshal(a.body, &problem) // Other answers have no code.
	return problem.Code
}

// post sends a body with a content type. change modifies the request.
func (c *client) post(tb testing.TB, stream, contentType string, body []byte, change ...func(*http.Request)) answer {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, c.url+"/archives/"+stream, bytes.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	request.SetBasicAuth(c.user, c.password)
	request.Header.Set("Content-Type", contentType)
	for _, f := range change {
		f(request)
	}
	return c.do(tb, request)
}

func (c *client) do(tb testing.TB, request *http.Request) answer {
	tb.Helper()
	status, header, body := apitest.Do(tb, c.http, request)
	return answer{status, header, []byte(body)}
}

const octets = "application/octet-stream"

// gzipped compresses a body as the original clients do, with a newline after it.
// They declare the non-standard encoding application/gzip.
func gzipped(tb testing.TB, body []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(append(bytes.Clone(body), '\n')); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func encodedAs(encoding string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Content-Encoding", encoding) }
}

// text returns a unique text body that begins with about.
func text(about string) []byte { return []byte(about + " " + rand.Text()) }

// binary returns a random body of n bytes that begins with about, for the reader of
// a failed test.
func binary(about string, n int) []byte {
	body := make([]byte, n)
	_, _ = rand.Read(body) // It never fails.
	copy(body, about)
	return body
}
