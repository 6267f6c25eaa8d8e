//go:build e2e

package e2e_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/env"
)

// maxBody is the limit of a body as received.
var maxBody = env.Defaults(env.ParseIngest).MaxBodyBytes

// testRefuse sends what must be refused. The comparison of the archive with the
// accepted bodies shows that none of it was kept.
func (d *deployment) testRefuse(t *testing.T) {
	withPassword := func(user, password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(user, password) }
	}
	for _, tt := range []struct {
		name, stream string
		body         []byte
		change       func(*http.Request)
		status       int
		code         string
	}{
		{"wrong password", "orders", text("refused"), withPassword("datasink", "wrong"), 401, "unauthorized"},
		{"unknown client", "orders", text("refused"), withPassword("nobody", d.client.password), 401, "unauthorized"},
		{"no credentials", "no-such-stream", text("refused"), func(r *http.Request) { r.Header.Del("Authorization") }, 401, "unauthorized"},
		{"unknown stream", "no-such-stream", text("refused"), nil, 404, "unknown_stream"},
		{"too large", "orders", binary("refused", maxBody+1), nil, 413, "body_too_large"},
		{"empty", "orders", nil, nil, 400, "empty_body"},
		{"not encoded as declared", "orders", text("refused"), encodedAs("gzip"), 400, "bad_encoding"},
		{"unknown encoding", "orders", text("refused"), encodedAs("br"), 415, "unsupported_encoding"},
		{"partition key too long", "orders?partition_key=" + strings.Repeat("k", 257), text("refused"), nil, 400, "bad_partition_key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.change == nil {
				tt.change = func(*http.Request) {}
			}
			a := d.client.post(t, tt.stream, octets, tt.body, tt.change)
			if a.status != tt.status || a.code() != tt.code {
				t.Errorf("answer %d %s, want %d %s", a.status, a.body, tt.status, tt.code)
			}
			if tt.status == http.StatusUnauthorized && !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic ") {
				t.Errorf("a 401 without the scheme: %v", a.header)
			}
		})
	}
	// API Gateway answers other paths itself.
	if a := d.client.post(t, "orders/and/more", octets, text("refused")); a.status != http.StatusNotFound {
		t.Errorf("an unknown path: %d %s, want 404", a.status, a.body)
	}
	if err := d.health(t); err != nil {
		t.Errorf("GET /health: %v", err)
	}
}

// testAccept sends bodies of every form, and finds each in the archive with the
// bytes that its stream's format promises.
func (d *deployment) testAccept(t *testing.T) {
	line := []byte("{\"a\":1,\"text\":\"Grüße — 你好\"}\r\n")
	clients := append(bytes.Repeat([]byte("compressed by the original clients "), 40), text("")...)
	compressed := gzipped(t, clients)
	bytesOfAllKinds, largest := binary("", 2000), binary("largest", maxBody)
	// They end without a newline, and are not text.
	bytesOfAllKinds[1999], largest[maxBody-1] = 0xff, 0
	for _, tt := range []struct {
		name, stream, contentType string
		sent, archived            []byte
		encoding                  string
		reason                    archive.Reason
	}{
		{name: "text", stream: "orders", contentType: "text/plain; charset=utf-8", sent: []byte("plain text: Ä"), archived: []byte("plain text: Ä\n")},
		{name: "JSON that ends in a newline", stream: "orders", contentType: "application/json", sent: line, archived: line},
		{name: "binary", stream: "orders", contentType: octets, sent: bytesOfAllKinds, archived: append(bytes.Clone(bytesOfAllKinds), '\n')},
		{name: "no type", stream: "dispatcher-decisions", sent: []byte("no type"), archived: []byte("no type\n")},
		{name: "original clients", stream: "dispatcher-decisions", contentType: octets, encoding: "application/gzip", sent: compressed, archived: append(bytes.Clone(clients), '\n')},
		{name: "original clients, raw", stream: "legacy-archives", contentType: octets, encoding: "application/gzip", sent: compressed, archived: compressed},
		{name: "raw text", stream: "legacy-archives", contentType: "text/plain", sent: []byte("raw text"), archived: []byte("raw text")},
		{name: "too large for the tap", stream: "page-views", contentType: octets, sent: largest, archived: append(bytes.Clone(largest), '\n'), reason: archive.Oversize},
	} {
		a := d.client.post(t, tt.stream, tt.contentType, tt.sent, func(r *http.Request) {
			if tt.contentType == "" {
				r.Header.Del("Content-Type")
			}
			if tt.encoding != "" {
				r.Header.Set("Content-Encoding", tt.encoding)
			}
		})
		d.mustAccept(t, a)
		d.archive.accept(tt.stream, tt.archived, tt.reason)
	}
	d.archive.awaitAll(t, archived)
}

// testBatch sends a batch twice with one key. Each of its lines must be archived once.
func (d *deployment) testBatch(t *testing.T) {
	lines := [][]byte{text("first line"), text("second line"), text("third line")}
	body := append(bytes.Join(lines, []byte("\n\n")), '\n') // empty lines are skipped
	key := rand.Text()
	var ids []string
	for try, replayed := range []string{"", "true"} {
		a := d.client.post(t, "orders/batch", "application/x-ndjson", body, func(r *http.Request) { r.Header.Set("Idempotency-Key", key) })
		var accepted struct {
			ID      string
			Records int
		}
		if err := json.Unmarshal(a.body, &accepted); err != nil || a.status != http.StatusAccepted {
			t.Fatalf("try %d: answer %d %s, want 202", try, a.status, a.body)
		}
		if accepted.Records != len(lines) {
			t.Errorf("try %d: %d records, want %d", try, accepted.Records, len(lines))
		}
		if got := a.header.Get("Idempotency-Replayed"); got != replayed {
			t.Errorf("try %d: Idempotency-Replayed is %q, want %q", try, got, replayed)
		}
		ids = append(ids, accepted.ID)
	}
	if ids[0] != ids[1] || ids[0] == "" {
		t.Errorf("the tries of one key have the ids %q", ids)
	}
	other := d.client.post(t, "orders/batch", "application/x-ndjson", text("another body"), func(r *http.Request) { r.Header.Set("Idempotency-Key", key) })
	if other.status != http.StatusUnprocessableEntity || other.code() != "idempotency_key_reused" {
		t.Errorf("the key with another body: answer %d %s, want 422", other.status, other.body)
	}
	for _, line := range lines {
		d.archive.accept("orders", append(bytes.Clone(line), '\n'), "")
	}
	d.archive.awaitAll(t, archived)
}

// testTap reads records from the tap: the data must be the body alone, and the
// partition key the client's, or else the id.
func (d *deployment) testTap(t *testing.T) {
	keyed, unkeyed := text("with a key"), text("without a key")
	d.mustAccept(t, d.client.post(t, "orders?partition_key=K%26%C3%9F", octets, keyed))
	d.archive.accept("orders", d.framed(t, "orders", keyed), "")
	d.send(t, "orders", unkeyed)
	d.archive.awaitAll(t, archived)
	keys := d.tapped(t, "orders")
	if got := keys[string(keyed)]; got != "K&ß" {
		t.Errorf("partition key %q, want the client's", got)
	}
	if got := keys[string(unkeyed)]; len(got) != len("01234567-89ab-7def-8123-456789abcdef") {
		t.Errorf("partition key %q, want the record's id", got)
	}
}

// tapped reads a Kinesis stream of one shard, and returns the partition keys by
// data.
func (d *deployment) tapped(t *testing.T, name string) map[string]string {
	t.Helper()
	in := map[string]any{"StreamName": stackName + "." + name, "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
	var iterator struct{ ShardIterator string }
	d.cloud.json(t, "kinesis", "Kinesis_20131202.GetShardIterator", in, &iterator)
	var page struct {
		Records []struct {
			Data         []byte
			PartitionKey string
		}
	}
	d.cloud.json(t, "kinesis", "Kinesis_20131202.GetRecords", iterator, &page)
	keys := make(map[string]string)
	for _, r := range page.Records {
		keys[string(r.Data)] = r.PartitionKey
	}
	return keys
}
