package ingest_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

func random(n int) string {
	body := make([]byte, n)
	source := rand.New(rand.NewPCG(1, 2))
	for i := range body {
		body[i] = byte(source.Uint32())
	}
	return string(body)
}

// bodies are ordinary and unusual bodies.
var bodies = map[string]string{
	"JSON": `{"order":"8d7c","note":"<a & b>"}`, "line": "hello\n", "newlines": "\n\n\r\n\n", "NUL": "\x00", "one byte": "x", "quotes": `"\"\\"`,
	"not UTF-8": "\xff\xfe\xed\xa0\x80", "random": random(10_000), "beyond ASCII": "zażółć \U0001F600\u2028", "looks like gzip": "\x1f\x8b\x08", "base64": "aGVsbG8=",
}

func TestBodiesAreKeptAsTheyAre(t *testing.T) {
	t.Parallel()
	for name, body := range bodies {
		for encoding, encode := range map[string]func(string) string{
			"": strings.Clone, "identity": strings.Clone, "IDENTITY": strings.Clone, "gzip": gzipped, "GZip": gzipped, "x-gzip": gzipped, "application/gzip": gzipped, " gzip ": gzipped,
			"zstd": zstandard, "Zstd": func(s string) string { return zstandardStream(s, zstd.WithEncoderLevel(zstd.SpeedFastest)) },
		} {
			s := newService(t)
			r := post(t, encode(body))
			if encoding != "" {
				r.Header.Set("Content-Encoding", encoding)
			}
			a := s.do(r, 202)
			want := envelope.Record{Stream: "orders", ReceivedAt: s.now, ID: a.ID, Body: []byte(body)}
			if diff := cmp.Diff(want, s.kept()); diff != "" {
				t.Errorf("%s as %q differs (-want +got):\n%s", name, encoding, diff)
			}
			// A raw stream keeps the bytes as they came.
			s = newService(t)
			r = post(t, encode(body), at("/archives/legacy"))
			if encoding != "" {
				r.Header.Set("Content-Encoding", encoding)
			}
			s.do(r, 202)
			if got := string(s.kept().Body); got != encode(body) && !strings.HasPrefix(encoding, "Z") {
				t.Errorf("%s as %q, raw: body = %q", name, encoding, got)
			}
		}
	}
}

func TestTextBodies(t *testing.T) {
	t.Parallel()
	for name, body := range bodies {
		want := strings.ToValidUTF8(body, "\uFFFD") // as API Gateway converts it
		for _, path := range []string{"/archives/orders", "/archives/legacy"} {
			s := newService(t)
			s.do(post(t, body, with("Content-Type", "application/json; charset=utf-8"), at(path)), 202)
			if got := string(s.kept().Body); got != want {
				t.Errorf("%s to %s: body = %q, want %q", name, path, got, want)
			}
		}
	}
}

func TestARawBodyIsNeverDecoded(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{"gzip", "zstd", "br", "no such thing", "gzip, gzip"} {
		s := newService(t)
		s.do(post(t, "not encoded at all", at("/archives/legacy"), with("Content-Encoding", encoding)), 202)
		if got := string(s.kept().Body); got != "not encoded at all" {
			t.Errorf("Content-Encoding %q: body = %q", encoding, got)
		}
	}
}

func TestMalformedBase64(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"a", "ab", "abc", "ab=", "=", "==", "====", "ab==cd==", "a-_b", "hell\n", "hello w=", "aGVs\nbG8h", "\xff\xff\xff\xff", "YQ==YQ=="} {
		for _, path := range []string{"/archives/orders", "/archives/legacy"} {
			s := newService(t)
			e := event(t, post(t, "", at(path)))
			e.Body, e.IsBase64Encoded = body, true
			if got := s.read(s.invoke(t.Context(), e), 400); got.Code != "bad_encoding" {
				t.Errorf("body %q to %s: code = %q, want bad_encoding", body, path, got.Code)
			}
		}
	}
}

func TestLimitsToTheByte(t *testing.T) {
	t.Parallel()
	const received, decoded = 4 << 20, 16 << 20
	for _, tt := range []struct {
		name, path, encoding, contentType, body string
		status                                  int
		size                                    int
		archived                                bool
	}{
		{name: "tap limit less one", body: strings.Repeat("b", stream.MaxFramedBytes-2), status: 202, size: stream.MaxFramedBytes - 2},
		{name: "tap limit", body: strings.Repeat("b", stream.MaxFramedBytes-1), status: 202, size: stream.MaxFramedBytes - 1},
		{name: "tap limit with its newline", body: strings.Repeat("b", stream.MaxFramedBytes-1) + "\n", status: 202, size: stream.MaxFramedBytes},
		{name: "over the tap limit by a newline", body: strings.Repeat("b", stream.MaxFramedBytes), status: 202, size: stream.MaxFramedBytes, archived: true},
		{name: "tap limit, raw", path: "/archives/legacy", body: strings.Repeat("b", stream.MaxFramedBytes), status: 202, size: stream.MaxFramedBytes},
		{name: "over the tap limit, raw", path: "/archives/legacy", body: strings.Repeat("b", stream.MaxFramedBytes+1), status: 202, size: stream.MaxFramedBytes + 1, archived: true},
		{name: "over the tap limit, decoded", encoding: "gzip", body: gzipped(strings.Repeat("b", 2_000_000)), status: 202, size: 2_000_000, archived: true},
		{name: "received less one", body: strings.Repeat("b", received-1), status: 202, size: received - 1, archived: true},
		{name: "received", body: strings.Repeat("b", received), status: 202, size: received, archived: true},
		{name: "over received", body: strings.Repeat("b", received+1), status: 413},
		{name: "received, text", contentType: "text/plain", body: strings.Repeat("é", received/2), status: 202, size: received, archived: true},
		{name: "over received, text", contentType: "text/plain", body: strings.Repeat("é", received/2) + "b", status: 413},
		{name: "received, raw", path: "/archives/legacy", body: strings.Repeat("b", received), status: 202, size: received, archived: true},
		{name: "over received, raw", path: "/archives/legacy", body: strings.Repeat("b", received+1), status: 413},
		{name: "over received, compressed", encoding: "gzip", body: gzipped(random(received)), status: 413},
		{name: "decoded less one", encoding: "gzip", body: gzipped(strings.Repeat("b", decoded-1)), status: 202, size: decoded - 1, archived: true},
		{name: "decoded", encoding: "gzip", body: gzipped(strings.Repeat("b", decoded)), status: 202, size: decoded, archived: true},
		{name: "over decoded", encoding: "gzip", body: gzipped(strings.Repeat("b", decoded+1)), status: 413},
		{name: "decoded, zstd", encoding: "zstd", body: zstandard(strings.Repeat("b", decoded)), status: 202, size: decoded, archived: true},
		{name: "over decoded, zstd", encoding: "zstd", body: zstandard(strings.Repeat("b", decoded+1)), status: 413},
		{name: "decoded, zstd without size", encoding: "zstd", body: zstandardStream(strings.Repeat("b", decoded)), status: 202, size: decoded, archived: true},
		{name: "over decoded, zstd without size", encoding: "zstd", body: zstandardStream(strings.Repeat("b", decoded+1)), status: 413},
	} {
		t.Run(tt.name, func(t *testing.T) { // not parallel, for the memory
			s := newService(t)
			r := post(t, tt.body)
			if tt.path != "" {
				at(tt.path)(r)
			}
			if tt.encoding != "" {
				r.Header.Set("Content-Encoding", tt.encoding)
			}
			if tt.contentType != "" {
				r.Header.Set("Content-Type", tt.contentType)
			}
			a := s.do(r, tt.status)
			if tt.status == 413 {
				if a.Code != "body_too_large" || !strings.Contains(a.Detail, "the limit is ") {
					t.Errorf("answer = %+v", a)
				}
				return
			}
			if got := len(s.kept().Body); got != tt.size {
				t.Errorf("body of %d bytes, want %d", got, tt.size)
			}
			if got := len(s.archive.puts) == 1; got != tt.archived {
				t.Fatalf("archived: %v, want %v", got, tt.archived)
			}
			if tt.archived && s.archive.puts[0].why != archive.Oversize {
				t.Errorf("reason = %q, want oversize", s.archive.puts[0].why)
			}
		})
	}
}

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
