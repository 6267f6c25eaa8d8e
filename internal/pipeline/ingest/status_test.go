package ingest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/ingest"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
)

func method(m string) func(*http.Request) { return func(r *http.Request) { r.Method = m } }

func without(name string) func(*http.Request) { return func(r *http.Request) { r.Header.Del(name) } }

// broken makes the queue and the archive fail.
func broken(s *service) {
	s.queue.push = func(context.Context, string, []byte, int64) (queue.Pushed, error) {
		return queue.Pushed{}, errors.New("queue down")
	}
	s.archive.put = func(context.Context) error { return errors.New("archive down") }
}

func small(s *service) { s.config.MaxBodyBytes, s.config.MaxDecodedBytes = 100, 200 }

func TestStatusTable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		request *http.Request
		change  func(*service)
		status  int
		code    string
		detail  string // a part of it
		headers map[string]string
	}{
		{name: "accepted", request: post(t, "hello"), status: 202, headers: map[string]string{"Content-Type": "application/json"}},
		{name: "empty body", request: post(t, ""), status: 400, code: "empty_body"},
		{name: "empty body as text", request: post(t, "", with("Content-Type", "text/plain")), status: 400, code: "empty_body"},
		{name: "empty body of a raw stream", request: post(t, "", at("/archives/legacy")), status: 400, code: "empty_body"},
		{name: "empty once decoded", request: post(t, gzipped(""), with("Content-Encoding", "gzip")), status: 400, code: "empty_body"},
		{name: "empty once decoded, zstd", request: post(t, zstandard(""), with("Content-Encoding", "zstd")), status: 400, code: "empty_body"},
		{name: "not gzip", request: post(t, "hello", with("Content-Encoding", "gzip")), status: 400, code: "bad_encoding"},
		{name: "decodes to almost nothing", request: post(t, strings.Repeat(gzipped(""), 20_000), with("Content-Encoding", "gzip")), status: 400, code: "bad_encoding"},
		{name: "not zstd", request: post(t, "hello", with("Content-Encoding", "zstd")), status: 400, code: "bad_encoding"},
		{name: "gzip cut off", request: post(t, gzipped("hello")[:12], with("Content-Encoding", "gzip")), status: 400, code: "bad_encoding"},
		{
			name: "gzip that came as text", request: post(t, gzipped("hello"), with("Content-Encoding", "gzip"), with("Content-Type", "application/json")),
			status: 400, code: "bad_encoding", detail: "application/octet-stream",
		},
		{
			name: "partition key too long", request: post(t, "hello", at("/archives/orders?partition_key="+strings.Repeat("k", 257))),
			status: 400, code: "bad_partition_key", detail: "256 characters",
		},
		{name: "partition key not UTF-8", request: post(t, "hello", at("/archives/orders?partition_key=%ff")), status: 400, code: "bad_partition_key"},
		{
			name: "no credentials", request: post(t, "hello", without("Authorization")), status: 401, code: "unauthorized",
			headers: map[string]string{"WWW-Authenticate": `Basic realm="data-sink", charset="UTF-8"`},
		},
		{name: "wrong password", request: post(t, "hello", as("datasink", "wrong")), status: 401, code: "unauthorized"},
		{name: "unknown client", request: post(t, "hello", as("nobody", "hunter2")), status: 401, code: "unauthorized"},
		{name: "unknown client, unknown stream", request: post(t, "hello", as("nobody", "hunter2"), at("/archives/nope")), status: 401, code: "unauthorized"},
		{name: "no grant", request: post(t, "hello", as("checkout", "pass:word"), at("/archives/orders-eu")), status: 403, code: "forbidden"},
		{name: "no grant, unknown stream", request: post(t, "hello", as("checkout", "pass:word"), at("/archives/nope")), status: 403, code: "forbidden"},
		{name: "no grant, retired stream", request: post(t, "hello", as("checkout", "pass:word"), at("/archives/gone")), status: 403, code: "forbidden"},
		{name: "unknown stream", request: post(t, "hello", at("/archives/nope")), status: 404, code: "unknown_stream"},
		{name: "unknown stream within the grant", request: post(t, "hello", as("checkout", "pass:word"), at("/archives/checkers")), status: 404, code: "unknown_stream"},
		{name: "retired stream", request: post(t, "hello", at("/archives/gone")), status: 404, code: "unknown_stream"},
		{name: "no stream", request: post(t, "hello", at("/archives/")), status: 404, code: "unknown_stream"},
		{name: "other path", request: post(t, "hello", at("/archive/orders")), status: 404, code: "not_found"},
		{name: "root", request: post(t, "hello", at("/")), status: 404, code: "not_found"},
		{name: "GET of a stream", request: post(t, "hello", method("GET")), status: 405, code: "method_not_allowed", headers: map[string]string{"Allow": "POST"}},
		{name: "PUT to a stream", request: post(t, "hello", method("PUT"), without("Authorization")), status: 405, code: "method_not_allowed"},
		{name: "POST to health", request: post(t, "hello", at("/health")), status: 405, code: "method_not_allowed", headers: map[string]string{"Allow": "GET"}},
		{
			name: "too large as received", change: small, request: post(t, strings.Repeat("b", 101)), status: 413, code: "body_too_large",
			detail: "the body has 101 bytes as received; the limit is 100 bytes",
		},
		{
			name: "too large as received, text", change: small, request: post(t, strings.Repeat(`"`, 101), with("Content-Type", "text/plain")),
			status: 413, code: "body_too_large", detail: "101 bytes as received",
		},
		{
			name: "too large as received, raw", change: small, request: post(t, strings.Repeat("b", 101), at("/archives/legacy")),
			status: 413, code: "body_too_large", detail: "101 bytes as received",
		},
		{
			name: "too large as decoded", change: small, request: post(t, gzipped(strings.Repeat("b", 201)), with("Content-Encoding", "gzip")),
			status: 413, code: "body_too_large", detail: "the body has more than 200 bytes as decoded; the limit is 200 bytes",
		},
		{
			name: "too large as decoded, zstd", change: small, request: post(t, zstandard(strings.Repeat("b", 201)), with("Content-Encoding", "zstd")),
			status: 413, code: "body_too_large", detail: "more than 200 bytes as decoded",
		},
		{
			name: "too large as decoded, not encoded", request: post(t, "hello"), status: 413, code: "body_too_large",
			detail: "the body has 5 bytes as decoded; the limit is 4 bytes", change: func(s *service) { s.config.MaxDecodedBytes = 4 },
		},
		{name: "unsupported encoding", request: post(t, "hello", with("Content-Encoding", "br")), status: 415, code: "unsupported_encoding"},
		{name: "two encodings", request: post(t, "hello", with("Content-Encoding", "gzip, gzip")), status: 415, code: "unsupported_encoding"},
		{name: "batch", request: post(t, "hello", at("/archives/orders/batch"), with("Content-Type", "application/x-ndjson")), status: 202},
		{name: "batch of empty lines", request: post(t, "\n\r\n\n", at("/archives/orders/batch")), status: 400, code: "empty_body"},
		{name: "batch of 10,001 lines", request: post(t, strings.Repeat("a\n", 10_001), at("/archives/orders/batch")), status: 413, code: "too_many_lines", detail: "10000 lines"},
		{name: "batch to a raw stream", request: post(t, "hello", at("/archives/legacy/batch")), status: 400, code: "not_a_lines_stream"},
		{
			name: "batch as JSON", request: post(t, "[1,\n2]", at("/archives/orders/batch"), with("Content-Type", "Application/JSON; charset=utf-8")),
			status: 415, code: "unsupported_type", detail: "application/x-ndjson",
		},
		{
			name: "batch over the backlog of a stream that refuses", request: post(t, strings.Repeat(strings.Repeat("a", 999)+"\n", 3500), at("/archives/strict/batch")),
			status: 413, code: "body_too_large", detail: "3 MiB",
		},
		{name: "batch to an unknown stream", request: post(t, "hello", at("/archives/nope/batch")), status: 404, code: "unknown_stream"},
		{name: "batch without a grant", request: post(t, "hello", as("checkout", "pass:word"), at("/archives/legacy/batch")), status: 403, code: "forbidden"},
		{name: "batch without credentials", request: post(t, "hello", at("/archives/orders/batch"), without("Authorization")), status: 401, code: "unauthorized"},
		{name: "bad idempotency key", request: post(t, "hello", with("Idempotency-Key", "a,b")), status: 400, code: "bad_idempotency_key", detail: "255 visible ASCII"},
		{
			name: "reused idempotency key", request: post(t, "hello", with("Idempotency-Key", "k")), status: 422, code: "idempotency_key_reused",
			change: func(s *service) {
				s.queue.pushPart = func(context.Context, string, queue.Part, int64) (queue.PartPushed, error) {
					return queue.PartPushed{}, queue.ErrKeyReused
				}
			},
		},
		{name: "nowhere to put it", change: broken, request: post(t, "hello"), status: 503, code: "unavailable", headers: map[string]string{"Retry-After": "5"}},
		{
			name: "credentials unavailable", request: post(t, "hello"), status: 503, code: "unavailable", headers: map[string]string{"Retry-After": "5"},
			change: func(s *service) {
				s.secret = func(context.Context) ([]byte, error) { return nil, errors.New("secrets down") }
			},
		},
		{
			name: "backlog full, stream refuses", request: post(t, "hello", at("/archives/strict")), status: 503, code: "unavailable", headers: map[string]string{"Retry-After": "5"},
			change: func(s *service) {
				s.queue.push = func(context.Context, string, []byte, int64) (queue.Pushed, error) {
					return queue.Pushed{}, queue.ErrBacklogFull
				}
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			change := tt.change
			if change == nil {
				change = func(*service) {}
			}
			s := newService(t, change)
			got := s.do(tt.request, tt.status)
			for name, want := range tt.headers {
				if got.header.Get(name) != want {
					t.Errorf("%s = %q, want %q", name, got.header.Get(name), want)
				}
			}
			if tt.status == 202 {
				if total := s.total(); total.Records != 1 || total.Bytes != 5 {
					t.Errorf("the outcomes add up to %+v, want one record of 5 bytes", total)
				}
				if id, err := uuid.Parse(got.ID); err != nil || id.Version() != 7 {
					t.Errorf("id = %q, want a UUIDv7", got.ID)
				}
				return
			}
			if !strings.Contains(got.Detail, tt.detail) || got.Detail == "" {
				t.Errorf("detail = %q, want %q in it", got.Detail, tt.detail)
			}
			got.Detail, got.header = "", header(got.header, "Content-Type")
			want := answer{
				Type: "about:blank", Title: title(tt.status), Status: tt.status, Code: tt.code, RequestID: "request-1",
				header: http.Header{"Content-Type": {"application/problem+json"}},
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(answer{})); diff != "" {
				t.Errorf("problem differs (-want +got):\n%s", diff)
			}
			if len(s.queue.records)+len(s.archive.puts) != 0 {
				t.Error("the record was kept all the same")
			}
			refused := []ingest.Outcome{{Refused: tt.code}}
			if diff := cmp.Diff(refused, s.outcomes, cmpopts.IgnoreFields(ingest.Outcome{}, "Stream", "Pushes", "Took")); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
		})
	}
}

// title returns the text of a status in RFC 9110.
func title(status int) string {
	switch status {
	case 413:
		return "Content Too Large"
	case 422:
		return "Unprocessable Content"
	default:
		return http.StatusText(status)
	}
}

func header(all http.Header, name string) http.Header {
	return http.Header{name: all.Values(name)}
}

// The order of the checks is fixed, so that strangers learn nothing: each fault
// hides the faults before it in the list.
func TestOrderOfChecks(t *testing.T) {
	t.Parallel()
	body := func(b string) func(*http.Request) {
		return func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(b)) }
	}
	faults := []struct {
		spoil func(*http.Request)
		code  string
	}{
		{with("Content-Encoding", "gzip"), "bad_encoding"},
		{with("Content-Encoding", "br"), "unsupported_encoding"},
		{body(""), "empty_body"},
		{body(strings.Repeat("b", 101)), "body_too_large"},
		{with("Idempotency-Key", ","), "bad_idempotency_key"},
		{at("/archives/orders?partition_key=%ff"), "bad_partition_key"},
		{at("/archives/nope?partition_key=%ff"), "unknown_stream"},
		{as("checkout", "pass:word"), "forbidden"},
		{without("Authorization"), "unauthorized"},
		{method("DELETE"), "method_not_allowed"},
		{at("/nope"), "not_found"},
	}
	for i, fault := range faults {
		s := newService(t, small)
		r := post(t, "hello")
		for _, f := range faults[:i+1] {
			f.spoil(r)
		}
		response, err := s.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.read(response, response.StatusCode); got.Code != fault.code {
			t.Errorf("code = %q, want %q", got.Code, fault.code)
		}
	}
}

func TestBacklogFullGoesToTheArchive(t *testing.T) {
	t.Parallel()
	var bound int64
	s := newService(t, func(s *service) {
		s.queue.push = func(_ context.Context, _ string, _ []byte, maxBacklogBytes int64) (queue.Pushed, error) {
			bound = maxBacklogBytes
			return queue.Pushed{}, queue.ErrBacklogFull
		}
	})
	for range 10 { // more than would open the breaker
		s.do(post(t, "hello", at("/archives/bounded")), 202)
	}
	if bound != 3<<20 {
		t.Errorf("bound = %d, want 3 MiB", bound)
	}
	if len(s.archive.puts) != 10 || s.archive.puts[9].why != archive.Overflow || string(s.archive.puts[9].record.Body) != "hello" {
		t.Errorf("archived = %+v, want ten overflows", s.archive.puts)
	}
	if got := s.total(); got.Archived[archive.Overflow] != 10 || got.Records != 10 {
		t.Errorf("the outcomes add up to %+v", got)
	}
}
