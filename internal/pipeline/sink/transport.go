package sink

import (
	"io"
	"net/http"
)

// httpClient is what an SDK client sends its requests with.
type httpClient interface {
	Do(*http.Request) (*http.Response, error)
}

// plainBody hides that the body of a request can write itself (io.WriterTo).
//
// The SDK closes a request's body as soon as there is an answer, and the
// WriteTo of a closed body is an error (io.EOF) where its Read is a quiet end.
// net/http asks once more for bytes after the last one; if the answer came
// first, it takes that error for a failed request and closes the connection,
// at times in the middle of the answer. Against an endpoint on loopback that
// cost 5 to 10 % of calls of 500 KiB their connection, and about one in a
// thousand its answer: the service had taken the entries, and they went again.
type plainBody struct{ next httpClient }

func (c plainBody) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return c.next.Do(r)
}
