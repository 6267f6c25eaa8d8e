package ingest_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"testing"
)

// The original public clients send these requests: credentials in the URL or by a
// middleware, a newline appended, gzip, and a Content-Encoding that is not
// registered.
func TestOriginalClients(t *testing.T) {
	t.Parallel()
	t.Run("Go", func(t *testing.T) {
		t.Parallel()
		s := newService(t)
		client := &http.Client{Transport: s}
		target := "https://datasink:hunter2@api/archives/" + url.PathEscape("orders") + "?partition_key=" + url.QueryEscape("customer 17/é+")
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, bytes.NewBufferString(gzipped(`{"a":1}`+"\n")))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Encoding", "application/gzip")
		r.Header.Set("Content-Type", "application/octet-stream")
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		s.read(response, 202)
		if got := s.kept(); string(got.Body) != `{"a":1}`+"\n" || got.PartitionKey != "customer 17/é+" || got.Stream != "orders" {
			t.Errorf("kept %+v", got)
		}
	})
	t.Run("Ruby", func(t *testing.T) {
		t.Parallel()
		s := newService(t)
		// The gem does not escape the partition key. Ruby's gzip header names Unix.
		body := []byte(gzipped("hello\n"))
		body[9] = 3
		r := post(t, string(body), at("/archives/orders?partition_key=50%"))
		r.Header.Set("Content-Encoding", "application/gzip")
		r.Header.Set("Content-Type", "application/octet-stream")
		r.Header.Set("User-Agent", "Faraday v0.15.4")
		r.Header.Set("TE", "trailers, deflate, gzip")
		s.do(r, 202)
		if got := s.kept(); string(got.Body) != "hello\n" || got.PartitionKey != "50%" {
			t.Errorf("kept %+v", got)
		}
	})
	t.Run("into a raw stream", func(t *testing.T) {
		t.Parallel()
		s := newService(t)
		body := gzipped("hello\n")
		s.do(post(t, body, at("/archives/legacy"), with("Content-Encoding", "application/gzip"), with("Content-Type", "application/octet-stream")), 202)
		if got := string(s.kept().Body); got != body {
			t.Errorf("body = %q, want the gzip member as it came", got)
		}
	})
}

// net/http's client reads the answer.
func TestAnHTTPClient(t *testing.T) {
	t.Parallel()
	s := newService(t)
	client := &http.Client{Transport: s}
	r := post(t, "hello")
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || string(body) != `{"id":"`+s.kept().ID+`"}` {
		t.Errorf("body = %q, %v, want the record's id", body, err)
	}
}
