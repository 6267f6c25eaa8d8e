package sink

import (
	"io"
	"net/http"
)

// httpClient sends the requests of an SDK client.
type httpClient interface {
	Do(*http.Request) (*http.Response, error)
}

// plainBody hides the WriteTo method of a request's body.
//
// The SDK closes the body of a request when the answer arrives. WriteTo of a
// closed body returns io.EOF as an error, whereas Read reports a normal end.
// net/http reads once more after the last byte. If the answer has arrived by then,
// net/http treats the error of WriteTo as a failed request and closes the
// connection, sometimes in the middle of the answer: the service had accepted the
// entries, and they were sent again.
type plainBody struct{ next httpClient }

func (c plainBody) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return c.next.Do(r)
}
