package ingest_test

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

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

// API Gateway passes a text body on as UTF-8. If that changes its length, the body
// is refused for both formats.
func TestTextBodies(t *testing.T) {
	t.Parallel()
	for name, body := range bodies {
		for _, path := range []string{"/archives/orders", "/archives/legacy"} {
			s := newService(t)
			e := event(t, post(t, body, with("Content-Type", "application/json; charset=utf-8"), at(path)))
			if !utf8.ValidString(body) {
				got := s.read(s.invoke(t.Context(), e), 400)
				if got.Code != "bad_encoding" || !strings.Contains(got.Detail, "application/octet-stream") {
					t.Errorf("%s to %s: %+v, want bad_encoding with advice", name, path, got)
				}
				if len(s.queue.records)+len(s.archive.puts) != 0 {
					t.Errorf("%s to %s: an altered body was kept", name, path)
				}
				continue
			}
			s.read(s.invoke(t.Context(), e), 202)
			if got := string(s.kept().Body); got != body {
				t.Errorf("%s to %s: body = %q, want %q", name, path, got, body)
			}
		}
	}
}

// A compressed body with a text type is refused for both formats, even if its
// length is unknown.
func TestCompressedTextBodies(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/archives/orders", "/archives/legacy"} {
		for _, encoding := range []string{"gzip", "application/gzip", "zstd"} {
			for _, length := range []string{"", "27"} {
				s := newService(t)
				e := event(t, post(t, gzipped("hello"), with("Content-Type", "text/plain"), with("Content-Encoding", encoding), at(path)))
				e.Headers["content-length"] = length
				got := s.read(s.invoke(t.Context(), e), 400)
				if got.Code != "bad_encoding" || !strings.Contains(got.Detail, "application/octet-stream") {
					t.Errorf("%s to %s: %+v, want bad_encoding with advice", encoding, path, got)
				}
			}
		}
	}
	s := newService(t)
	s.refused(event(t, post(t, "hello", with("Content-Type", "text/plain"), with("Content-Encoding", "br"), at("/archives/legacy"))), 400, "bad_encoding")
}

// A compressed body without a Content-Encoding is kept as it is. It is counted for
// each request and logged once a minute for each client.
func TestUndeclaredEncoding(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for range 2 {
		for _, body := range []string{gzipped("hello"), zstandard("hello")} {
			s.do(post(t, body), 202)
			s.do(post(t, body, as("checkout", "pass:word"), with("Content-Encoding", "identity")), 202)
		}
	}
	if got := string(s.queue.records[0].Body); got != gzipped("hello") {
		t.Errorf("body = %q, want the gzip member as received", got)
	}
	if len(s.outcomes) != 8 {
		t.Errorf("%d requests were observed, want 8", len(s.outcomes))
	}
	for i, o := range s.outcomes {
		if !o.Undeclared {
			t.Errorf("request %d does not count as undeclared", i)
		}
	}
	want := []map[string]any{
		{"msg": "undeclared_encoding", "level": "WARN", "client": "datasink", "stream": "orders"},
		{"msg": "undeclared_encoding", "level": "WARN", "client": "checkout", "stream": "orders"},
	}
	if diff := cmp.Diff(want, s.lines()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	s.logs.Reset()
	s.now = s.now.Add(time.Minute)
	s.do(post(t, gzipped("hello")), 202)
	if diff := cmp.Diff(want[:1], s.lines()); diff != "" {
		t.Errorf("log after a minute (-want +got):\n%s", diff)
	}
	for name, r := range map[string]*http.Request{
		"declared": post(t, gzipped(gzipped("hello")), with("Content-Encoding", "gzip")), "raw": post(t, gzipped("hello"), at("/archives/legacy")),
		"not gzip": post(t, "\x1f\x8b\x07"), "short": post(t, "\x1f"),
	} {
		s := newService(t)
		s.do(r, 202)
		if s.outcomes[0].Undeclared || s.logs.Len() != 0 {
			t.Errorf("%s: undeclared %v, logged %q, want neither", name, s.outcomes[0].Undeclared, s.logs.String())
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
