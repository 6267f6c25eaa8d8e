package ingest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/ingest"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// bodiesOf returns the bodies of the pushed records.
func (s *service) bodiesOf() []string {
	var all []string
	for _, r := range s.queue.records {
		all = append(all, string(r.Body))
	}
	return all
}

// numbered returns n lines, each of about size bytes.
func numbered(n, size int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d%s\n", i, strings.Repeat("x", size))
	}
	return b.String()
}

func TestBatch(t *testing.T) {
	t.Parallel()
	const body = "{\"a\":1}\n\n{\"a\":2}\r\n\r\n\n \n\ufeff\x00\xff\nlast"
	want := []string{`{"a":1}`, "{\"a\":2}\r", " ", "\ufeff\x00\xff", "last"}
	for encoding, sent := range map[string]string{"identity": body, "gzip": gzipped(body), "zstd": zstandard(body)} {
		s := newService(t)
		a := s.do(post(t, sent, at("/archives/orders/batch?partition_key=k"), with("Content-Encoding", encoding), with("Content-Type", "application/x-ndjson")), 202)
		if diff := cmp.Diff(want, s.bodiesOf()); diff != "" {
			t.Errorf("%s: records (-want +got):\n%s", encoding, diff)
		}
		if a.Records != len(want) || a.header.Get("Idempotency-Replayed") != "" {
			t.Errorf("%s: %d records, replayed %q, want %d and no header", encoding, a.Records, a.header.Get("Idempotency-Replayed"), len(want))
		}
		id, err := uuid.Parse(a.ID)
		if err != nil || id.Version() != 7 {
			t.Fatalf("%s: id %q, want a UUIDv7", encoding, a.ID)
		}
		for i, r := range s.queue.records {
			id[14], id[15] = 0, byte(i)
			if r.ID != id.String() || r.PartitionKey != "k" || r.Stream != "orders" || !r.ReceivedAt.Equal(s.now) {
				t.Errorf("%s: line %d = %+v, want id %s", encoding, i, r, id)
			}
		}
		want := []ingest.Outcome{{Stream: "orders", Records: 5, Bytes: len(body)}}
		if diff := cmp.Diff(want, s.outcomes, cmpopts.IgnoreFields(ingest.Outcome{}, "Pushes", "Took")); diff != "" {
			t.Errorf("%s: outcomes (-want +got):\n%s", encoding, diff)
		}
	}
}

// A batch has the lines that a split at "\n" gives, without empty ones.
func TestBatchIsASplit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		body := rapid.StringOf(rapid.SampledFrom([]rune("ab\n\n\r"))).Draw(rt, "body")
		var want []string
		for line := range strings.SplitSeq(body, "\n") {
			if line != "" && line != "\r" {
				want = append(want, line)
			}
		}
		s := newService(t)
		r := post(t, body, at("/archives/orders/batch"))
		if len(want) == 0 {
			if a := s.do(r, 400); a.Code != "empty_body" {
				rt.Fatalf("code = %s, want empty_body", a.Code)
			}
			return
		}
		s.do(r, 202)
		if diff := cmp.Diff(want, s.bodiesOf()); diff != "" {
			rt.Fatalf("records (-want +got):\n%s", diff)
		}
	})
}

func TestBatchPaths(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		path, parameter, routeKey string
		status                    int
		records                   int // 0: a single record, if the status is 202
	}{
		{"/archives/orders/batch", "orders/batch", "POST /archives/{stream+}", 202, 2},
		{"/archives/orders/batch/", "orders/batch/", "POST /archives/{stream+}", 202, 2},
		{"/archives/orders/batch", "orders", "POST /archives/{stream}/batch", 202, 2},
		{"/base/archives/orders/batch", "orders/batch", "POST /archives/{stream+}", 202, 2},
		{"/archives/orders/batch", "", "$default", 202, 2},
		{"/archives/orders", "orders", "POST /archives/{stream+}", 202, 0},
		{"/archives/batch", "batch", "POST /archives/{stream+}", 202, 0},
		{"/archives/batch/batch", "batch/batch", "POST /archives/{stream+}", 202, 2},
		{"/archives/orders%2Fbatch", "", "$default", 404, 0},
		{"/archives/orders/batches", "orders/batches", "POST /archives/{stream+}", 404, 0},
		{"/archives/orders/batch/batch", "orders/batch/batch", "POST /archives/{stream+}", 404, 0},
		{"/archives/orders//batch", "orders//batch", "POST /archives/{stream+}", 404, 0},
		{"/archives//batch", "/batch", "POST /archives/{stream+}", 404, 0},
	} {
		s := newService(t, func(s *service) {
			s.config.Streams = parseStreams(t, `{"streams":[{"name":"orders"},{"name":"batch"}]}`)
		})
		e := event(t, post(t, "a\nb\n"))
		e.RawPath, e.RouteKey, e.PathParameters = tt.path, tt.routeKey, nil
		if tt.parameter != "" {
			e.PathParameters = map[string]string{"stream": tt.parameter}
		}
		if a := s.read(s.invoke(t.Context(), e), tt.status); a.Records != tt.records {
			t.Errorf("%s (%s): %d records, want %d", tt.path, tt.routeKey, a.Records, tt.records)
		}
	}
}

// A batch is pushed in parts of at most 500 envelopes and 1 MiB. The bound on the
// backlog is checked with the first part, for the whole batch.
func TestBatchIsPushedInParts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		n, len int
		parts  []int
	}{
		{"one part", 500, 10, []int{500}},
		{"many lines", 1201, 10, []int{500, 500, 201}},
		{"the most lines", 10_000, 0, []int{500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500}},
		{"large lines", 5, 500_000, []int{2, 2, 1}},
		{"lines of the tap's limit", 3, stream.MaxFramedBytes - 2, []int{1, 1, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var sizes []int
			var bounds []int64
			var total, stated int64
			s := newService(t, func(s *service) {
				s.queue.pushPart = func(_ context.Context, _ string, p queue.Part, bound int64) (queue.PartPushed, error) {
					if want := sum(sizes); p.First != want {
						t.Errorf("part %d begins at %d, want %d", len(sizes), p.First, want)
					}
					sizes, bounds, stated = append(sizes, len(p.Envelopes)), append(bounds, bound), p.RequestBytes
					size := 0
					for _, e := range p.Envelopes {
						size += len(e)
					}
					if size > queue.MaxPartBytes && len(p.Envelopes) > 1 {
						t.Errorf("part %d has %d bytes", len(sizes), size)
					}
					total += int64(size)
					return queue.PartPushed{Done: p.First + len(p.Envelopes)}, nil
				}
			})
			s.do(post(t, numbered(tt.n, tt.len), at("/archives/bounded/batch")), 202)
			if diff := cmp.Diff(tt.parts, sizes); diff != "" {
				t.Errorf("parts (-want +got):\n%s", diff)
			}
			wantBounds := make([]int64, len(tt.parts))
			wantBounds[0] = 3 << 20
			if diff := cmp.Diff(wantBounds, bounds); diff != "" {
				t.Errorf("bounds (-want +got):\n%s", diff)
			}
			if most := total + int64(64*tt.n); stated < total || stated > most {
				t.Errorf("stated size %d of %d bytes, want at most %d", stated, total, most)
			}
		})
	}
}

func sum(values []int) (n int) {
	for _, v := range values {
		n += v
	}
	return n
}
