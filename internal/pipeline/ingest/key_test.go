package ingest_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func key(k string) func(*http.Request) { return with("Idempotency-Key", k) }

func TestARepeatedRequestIsStoredOnce(t *testing.T) {
	t.Parallel()
	s, q := newRedisService(t)
	const path = "/archives/orders?partition_key=k"
	first := s.do(post(t, "hello", at(path), key("k1")), 202)
	if id, err := uuid.Parse(first.ID); err != nil || id.Version() != 8 || id.Variant() != uuid.RFC4122 {
		t.Errorf("id = %s, want a UUIDv8", first.ID)
	}
	if got := first.header.Get("Idempotency-Replayed"); got != "" {
		t.Errorf("Idempotency-Replayed of the first request = %q, want none", got)
	}
	for name, r := range map[string]*http.Request{
		"same":            post(t, "hello", at(path), key("k1")),
		"quoted key":      post(t, "hello", at(path), key(` "k1" `)),
		"gzip":            post(t, gzipped("hello"), at(path), key("k1"), with("Content-Encoding", "gzip")),
		"zstd":            post(t, zstandard("hello"), at(path), key("k1"), with("Content-Encoding", "zstd")),
		"text":            post(t, "hello", at(path), key("k1"), with("Content-Type", "text/plain")),
		"other partition": post(t, "hello", key("k1")),
	} {
		a := s.do(r, 202)
		if a.ID != first.ID || a.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s: id %s, replayed %q, want %s and true", name, a.ID, a.header.Get("Idempotency-Replayed"), first.ID)
		}
	}
	got := q.records(t, "orders")
	if len(got) != 1 || got[0].ID != first.ID || string(got[0].Body) != "hello" {
		t.Errorf("records in Redis = %+v, want one", got)
	}
	if c := s.total(); c.Records != 1 || c.Replayed != 6 {
		t.Errorf("the outcomes add up to %+v, want 1 accepted and 6 replayed", c)
	}
}

// A key belongs to one client, one stream, one kind of request and one body.
func TestAKeyIsScoped(t *testing.T) {
	t.Parallel()
	s, q := newRedisService(t)
	first := s.do(post(t, "hello", key("k")), 202)
	for name, r := range map[string]*http.Request{
		"other body": post(t, "world", key("k")), "batch": post(t, "hello", at("/archives/orders/batch"), key("k")),
	} {
		if a := s.do(r, 422); a.Code != "idempotency_key_reused" || a.Title != "Unprocessable Content" {
			t.Errorf("%s: %+v, want idempotency_key_reused", name, a)
		}
	}
	seen := map[string]bool{first.ID: true}
	for name, r := range map[string]*http.Request{
		"other client": post(t, "hello", as("checkout", "pass:word"), key("k")), "other stream": post(t, "hello", at("/archives/orders-eu"), key("k")),
		"other key": post(t, "hello", key("K")), "raw stream": post(t, gzipped("hello"), at("/archives/legacy"), with("Content-Encoding", "gzip"), key("k")),
		"no key": post(t, "hello"),
	} {
		a := s.do(r, 202)
		if seen[a.ID] || a.header.Get("Idempotency-Replayed") != "" {
			t.Errorf("%s: id %s, replayed %q, want a new record", name, a.ID, a.header.Get("Idempotency-Replayed"))
		}
		seen[a.ID] = true
	}
	if got := len(q.records(t, "orders")); got != 4 {
		t.Errorf("%d records of orders in Redis, want 4", got)
	}
	if len(s.archive.puts) != 0 {
		t.Errorf("%d direct records, want none", len(s.archive.puts))
	}
}

// A refused request is not remembered: its key is free for the corrected request.
func TestARefusedRequestIsNotRemembered(t *testing.T) {
	t.Parallel()
	s, q := newRedisService(t)
	s.do(post(t, "hello", key("k"), with("Content-Encoding", "gzip")), 400)
	s.do(post(t, "", key("k")), 400)
	s.do(post(t, "hello", key("k")), 202)
	if got := len(q.records(t, "orders")); got != 1 {
		t.Errorf("%d records in Redis, want 1", got)
	}
}

func TestConcurrentRequestsWithOneKeyAreStoredOnce(t *testing.T) {
	t.Parallel()
	s, q := newRedisService(t)
	for _, path := range []string{"/archives/orders", "/archives/orders-eu/batch"} {
		var wg sync.WaitGroup
		var mu sync.Mutex
		answers := make(map[string]int)
		for range 100 {
			wg.Go(func() {
				a := s.do(post(t, numbered(1200, 0), at(path), key("k")), 202)
				mu.Lock()
				defer mu.Unlock()
				answers[a.ID]++
			})
		}
		wg.Wait()
		if len(answers) != 1 {
			t.Errorf("%s: answers = %v, want one id", path, answers)
		}
	}
	if got := len(q.records(t, "orders")); got != 1 {
		t.Errorf("%d records of the single request, want 1", got)
	}
	seen := make(map[string]int)
	for _, r := range q.records(t, "orders-eu") {
		seen[string(r.Body)]++
	}
	if len(seen) != 1200 || len(q.records(t, "orders-eu")) != 1200 {
		t.Errorf("%d records with %d bodies of the batch, want 1,200 each", len(q.records(t, "orders-eu")), len(seen))
	}
}

// A retry of a batch continues where the first try stopped.
func TestARepeatedBatchContinues(t *testing.T) {
	t.Parallel()
	s, q := newRedisService(t, func(s *service) { s.archive.put = func(context.Context) error { return errDown } })
	body := numbered(1700, 0)
	q.before = func(p queue.Part) error {
		if p.First >= 1000 {
			return errDown
		}
		return nil
	}
	s.do(post(t, body, at("/archives/orders/batch"), key("k")), 503)
	if got := len(q.records(t, "orders")); got != 1000 {
		t.Fatalf("%d records after the first try, want 1,000", got)
	}
	parts := 0
	q.before = func(queue.Part) error { parts++; return nil }
	a := s.do(post(t, body, at("/archives/orders/batch"), key("k")), 202)
	if a.Records != 1700 || a.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("%d records, replayed %q, want 1,700 and none", a.Records, a.header.Get("Idempotency-Replayed"))
	}
	var got []string
	for _, r := range q.records(t, "orders") {
		got = append(got, string(r.Body))
	}
	if diff := cmp.Diff(strings.Fields(body), got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if parts != 3 { // the first part says that two are known
		t.Errorf("%d parts in the second try, want 3", parts)
	}
	parts = 0
	if a := s.do(post(t, body, at("/archives/orders/batch"), key("k")), 202); a.Records != 1700 || a.header.Get("Idempotency-Replayed") != "true" || parts != 1 {
		t.Errorf("third try: %d records in %d calls, replayed %q, want 1,700 in 1 call and true", a.Records, parts, a.header.Get("Idempotency-Replayed"))
	}
	if c := s.total(); c.Records != 700 || c.Replayed != 1000+1700 {
		t.Errorf("the outcomes add up to %+v", c)
	}
}

// If the answer of a push is lost and the archive fails too, a retry finds the
// record.
func TestARetryAfterALostAnswer(t *testing.T) {
	t.Parallel()
	s, q := newRedisService(t, func(s *service) { s.archive.put = func(context.Context) error { return errDown } })
	q.after = func(queue.PartPushed) (queue.PartPushed, error) { return queue.PartPushed{}, errDown }
	s.do(post(t, "hello", key("k")), 503)
	q.after = nil
	a := s.do(post(t, "hello", key("k")), 202)
	if got := q.records(t, "orders"); len(got) != 1 || got[0].ID != a.ID || a.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("records in Redis = %+v, answer %+v, want one record and its id", got, a)
	}
}

// While Redis is down, each try of a request has the same object.
func TestRetriesDuringAnOutageHaveOneObject(t *testing.T) {
	t.Parallel()
	s := newService(t, func(s *service) {
		s.queue.pushPart = func(context.Context, string, queue.Part, int64) (queue.PartPushed, error) {
			return queue.PartPushed{}, errDown
		}
	})
	for path, body := range map[string]string{"/archives/orders": "hello", "/archives/orders/batch": "a\nb", "/archives/legacy": strings.Repeat("b", stream.MaxFramedBytes+1)} {
		s.archive.puts = nil
		ids := make(map[string]bool)
		for range 3 {
			ids[s.do(post(t, body, at(path), key("k")), 202).ID] = true
		}
		for _, put := range s.archive.puts {
			ids[put.record.ID] = true
		}
		if len(ids) != 1 || len(s.archive.puts) != 3 {
			t.Errorf("%s: ids %v of %d writes, want one id", path, ids, len(s.archive.puts))
		}
		if a := s.do(post(t, body+"x", at(path), key("k")), 202); ids[a.ID] {
			t.Errorf("%s: another body has the same id", path)
		}
	}
}

// A key with another body keeps nothing, not even lines that are too large for the
// tap.
func TestAReusedKeyKeepsNothingOfABatch(t *testing.T) {
	t.Parallel()
	s, q := newRedisService(t)
	large := strings.Repeat("b", stream.MaxFramedBytes)
	s.do(post(t, "a", at("/archives/orders/batch"), key("k")), 202)
	s.do(post(t, "a\n"+large, at("/archives/orders/batch"), key("k")), 422)
	if len(s.archive.puts) != 0 || len(q.records(t, "orders")) != 1 {
		t.Errorf("%d direct records and %d in Redis, want 0 and 1", len(s.archive.puts), len(q.records(t, "orders")))
	}
	s.do(post(t, "a\n"+large, at("/archives/orders/batch"), key("k2")), 202)
	if len(s.archive.puts) != 1 {
		t.Errorf("%d direct records, want 1", len(s.archive.puts))
	}
}

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	good := []string{"a", "!", "~", "8e03978e-40d5-43e8-bc93-6894a57f9324", `"quoted"`, strings.Repeat("k", 255), `"` + strings.Repeat("k", 255) + `"`, " a\t", "a;b=c:d/e"}
	bad := []string{"", " ", `""`, `"`, `"a`, `a"`, `a"b`, `"a"b"`, `a\b`, "a,b", `"a", "b"`, "a b", "é", "a\x00", "a\n", "\x7f", strings.Repeat("k", 256), `"` + strings.Repeat("k", 256) + `"`}
	for i, k := range append(good, bad...) {
		for _, path := range []string{"/archives/orders", "/archives/orders/batch"} {
			s := newService(t)
			e := event(t, post(t, "hello", at(path)))
			e.Headers["Idempotency-Key"] = k
			if i < len(good) {
				s.read(s.invoke(t.Context(), e), 202)
				continue
			}
			s.refused(e, 400, "bad_idempotency_key")
		}
	}
}

// Without a key, the plain push is used.
func TestWithoutAKeyNothingIsRemembered(t *testing.T) {
	t.Parallel()
	s, q := newRedisService(t)
	s.do(post(t, "hello"), 202)
	s.do(post(t, "hello", at("/archives/orders/batch")), 202)
	keys, err := q.client.Keys(t.Context(), "*once*").Result()
	if err != nil || len(keys) != 0 {
		t.Errorf("keys = %q, %v, want none", keys, err)
	}
	s.do(post(t, "hello", key("k")), 202)
	for _, k := range []string{"datasink:{orders}:once"} {
		fields, err := q.client.HGetAll(t.Context(), k).Result()
		if err != nil || len(fields) != 1 {
			t.Errorf("%s = %s, %v, want one field", k, fmt.Sprint(fields), err)
		}
	}
}
