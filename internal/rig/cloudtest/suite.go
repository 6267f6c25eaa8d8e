package cloudtest

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/google/go-cmp/cmp"
)

// Resources are the resources that the suite uses. The stream has one shard or
// more and no record of another test; bucket and queue are empty.
type Resources struct {
	Stream, DeliveryStream string
	Secret, SecretValue    string
}

// Case is one case of the suite.
type Case struct {
	// Name names the operations of the case.
	Name string
	run  func(t *testing.T, d Door, r Resources)
}

// Cases are the cases of the suite, in the order of the table in the README.
var Cases = []Case{
	{"PutRecords: number of records, length of a key", putRecords},
	{"PutRecords: size of a record", putRecordsSizes},
	{"PutRecordBatch: number of records", putRecordBatch},
	{"PutRecordBatch: size of a record and of a call", putRecordBatchSizes},
	{"ListStreams, DescribeStream, ListShards", describe},
	{"GetShardIterator: every type; GetRecords: pages", read},
	{"GetShardIterator, GetRecords: invalid input", readErrors},
	{"PutObject, GetObject, HeadObject, DeleteObject", objects},
	{"PutObject: If-None-Match and If-Match", conditions},
	{"ListObjectsV2: prefixes, delimiters, pages", list},
	{"SendMessage, ReceiveMessage, DeleteMessage", messages},
	{"GetSecretValue", secret},
}

// EmulatorDiffers are the cases that the third-party emulator of the end-to-end
// tests fails: it accepts records and calls over the limits, and has other errors
// for invalid iterators.
var EmulatorDiffers = []string{
	"PutRecords: size of a record",
	"PutRecordBatch: size of a record and of a call",
	"GetShardIterator, GetRecords: invalid input",
}

// Run runs the cases against a door, except those that unsupported names.
func Run(t *testing.T, d Door, r Resources, unsupported ...string) {
	t.Helper()
	for _, c := range Cases {
		if slices.Contains(unsupported, c.Name) {
			continue
		}
		t.Run(c.Name, func(t *testing.T) { c.run(t, d, r) })
	}
}

func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	if got := Code(err); got != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

func repeated(n, size int) []sink.Entry {
	return slices.Repeat([]sink.Entry{{PartitionKey: "k", Data: bytes.Repeat([]byte("x"), size)}}, n)
}

func putRecords(t *testing.T, d Door, r Resources) {
	for name, records := range map[string][]sink.Entry{
		"501 records":             repeated(501, 1),
		"a key of 257 characters": {{PartitionKey: strings.Repeat("k", 257), Data: []byte("x")}},
	} {
		_, err := d.PutRecords(t.Context(), r.Stream, records)
		if code := Code(err); code != "InvalidArgumentException" && code != "ValidationException" {
			t.Errorf("PutRecords of %s: %v, want InvalidArgumentException or ValidationException", name, err)
		}
	}
	accepted(t, "500 records", 500)(d.PutRecords(t.Context(), r.Stream, repeated(500, 1)))
	_, err := d.PutRecords(t.Context(), r.Stream+"-none", repeated(1, 1))
	wantCode(t, "PutRecords to a missing stream", err, "ResourceNotFoundException")
}

// accepted checks that all records of a call were accepted.
func accepted(t *testing.T, what string, records int) func(results []cloud.PutResult, err error) {
	t.Helper()
	return func(results []cloud.PutResult, err error) {
		t.Helper()
		if err != nil || len(results) != records || slices.ContainsFunc(results, func(r cloud.PutResult) bool { return r.ID == "" || r.Err != nil }) {
			t.Errorf("%s: %d results, %v, want all accepted", what, len(results), err)
		}
	}
}

func putRecordsSizes(t *testing.T, d Door, r Resources) {
	_, err := d.PutRecords(t.Context(), r.Stream, repeated(1, 1<<20))
	wantCode(t, "a record over 1 MiB with its key", err, "InvalidArgumentException")
	_, err = d.PutRecords(t.Context(), r.Stream, repeated(6, 1<<20-1))
	wantCode(t, "a call over 5 MiB", err, "InvalidArgumentException")
	accepted(t, "a record of 1 MiB with its key", 1)(d.PutRecords(t.Context(), r.Stream, repeated(1, 1<<20-1)))
}

func putRecordBatch(t *testing.T, d Door, r Resources) {
	_, err := d.PutRecordBatch(t.Context(), r.DeliveryStream, repeated(501, 1))
	wantCode(t, "PutRecordBatch of 501 records", err, "InvalidArgumentException")
	accepted(t, "500 records", 500)(d.PutRecordBatch(t.Context(), r.DeliveryStream, repeated(500, 1)))
	_, err = d.PutRecordBatch(t.Context(), r.DeliveryStream+"-none", repeated(1, 1))
	wantCode(t, "PutRecordBatch to a missing delivery stream", err, "ResourceNotFoundException")
}

func putRecordBatchSizes(t *testing.T, d Door, r Resources) {
	_, err := d.PutRecordBatch(t.Context(), r.DeliveryStream, repeated(1, 1_024_001))
	wantCode(t, "a record over 1,000 KiB", err, "InvalidArgumentException")
	_, err = d.PutRecordBatch(t.Context(), r.DeliveryStream, repeated(5, 1_000_000))
	wantCode(t, "a call over 4 MiB", err, "InvalidArgumentException")
	accepted(t, "a record of 1,000 KiB", 1)(d.PutRecordBatch(t.Context(), r.DeliveryStream, repeated(1, 1_024_000)))
}

func describe(t *testing.T, d Door, r Resources) {
	names, err := d.ListStreams(t.Context())
	if err != nil || !slices.Contains(names, r.Stream) || !slices.IsSorted(names) {
		t.Errorf("ListStreams = %v, %v, want %s among them, sorted", names, err, r.Stream)
	}
	shards, err := d.Shards(t.Context(), r.Stream)
	if err != nil || len(shards) == 0 || !strings.HasPrefix(shards[0], "shardId-") || !slices.IsSorted(shards) {
		t.Errorf("shards %v, %v", shards, err)
	}
	_, err = d.Shards(t.Context(), r.Stream+"-none")
	wantCode(t, "ListShards of a missing stream", err, "ResourceNotFoundException")
}

// readAll reads a shard to its present end.
func readAll(t *testing.T, d Door, stream, shard string, start cloud.IteratorStart, limit int) []cloud.Record {
	t.Helper()
	iterator, err := d.GetShardIterator(t.Context(), stream, shard, start)
	if err != nil {
		t.Fatalf("iterator %+v: %v", start, err)
	}
	var all []cloud.Record
	for {
		page, err := d.GetRecords(t.Context(), iterator, limit)
		if err != nil {
			t.Fatalf("GetRecords: %v", err)
		}
		if limit > 0 && len(page.Records) > limit {
			t.Errorf("a page of %d records, want %d at most", len(page.Records), limit)
		}
		if all = append(all, page.Records...); len(page.Records) == 0 {
			return all
		}
		iterator = page.NextIterator
	}
}

func data(records []cloud.Record) []string {
	var all []string
	for _, r := range records {
		all = append(all, string(r.Data))
	}
	return all
}

func read(t *testing.T, d Door, r Resources) {
	shards, err := d.Shards(t.Context(), r.Stream)
	if err != nil {
		t.Fatal(err)
	}
	// All records have one key, so they are in one shard.
	lengths := make(map[string]int)
	latest := make(map[string]string)
	for _, shard := range shards {
		lengths[shard] = len(readAll(t, d, r.Stream, shard, cloud.IteratorStart{Type: cloud.TrimHorizon}, 0))
		if latest[shard], err = d.GetShardIterator(t.Context(), r.Stream, shard, cloud.IteratorStart{Type: cloud.Latest}); err != nil {
			t.Fatal(err)
		}
	}
	begun := time.Now()
	time.Sleep(1100 * time.Millisecond) // Timestamps of the protocol may have whole seconds.
	for _, body := range []string{"one", "two", "three", "four", "five"} {
		if _, err := d.PutRecords(t.Context(), r.Stream, []sink.Entry{{PartitionKey: "the same key", Data: []byte(body)}}); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"one", "two", "three", "four", "five"}
	for _, shard := range shards {
		all := readAll(t, d, r.Stream, shard, cloud.IteratorStart{Type: cloud.TrimHorizon}, 2000)
		if len(all) == lengths[shard] {
			continue
		}
		fresh := all[lengths[shard]:]
		if diff := cmp.Diff(want, data(fresh)); diff != "" {
			t.Fatalf("TRIM_HORIZON differs (-want +got):\n%s", diff)
		}
		for i := 1; i < len(fresh); i++ {
			if len(fresh[i].SequenceNumber) == len(fresh[i-1].SequenceNumber) && fresh[i].SequenceNumber <= fresh[i-1].SequenceNumber {
				t.Errorf("sequence number %s after %s", fresh[i].SequenceNumber, fresh[i-1].SequenceNumber)
			}
		}
		page, err := d.GetRecords(t.Context(), latest[shard], 0)
		if diff := cmp.Diff(want, data(page.Records)); diff != "" || err != nil {
			t.Errorf("LATEST: %v, differs (-want +got):\n%s", err, diff)
		}
		for _, tt := range []struct {
			start cloud.IteratorStart
			want  []string
		}{
			{cloud.IteratorStart{Type: cloud.AtSequenceNumber, SequenceNumber: fresh[2].SequenceNumber}, want[2:]},
			{cloud.IteratorStart{Type: cloud.AfterSequenceNumber, SequenceNumber: fresh[2].SequenceNumber}, want[3:]},
			{cloud.IteratorStart{Type: cloud.AtTimestamp, Timestamp: begun.Add(500 * time.Millisecond)}, want},
		} {
			if diff := cmp.Diff(tt.want, data(readAll(t, d, r.Stream, shard, tt.start, 2))); diff != "" {
				t.Errorf("%s differs (-want +got):\n%s", tt.start.Type, diff)
			}
		}
		if fresh[0].PartitionKey != "the same key" || fresh[0].ArrivedAt.Before(begun.Add(-time.Second)) {
			t.Errorf("record %+v, want its key and the time of arrival", fresh[0])
		}
		return
	}
	t.Error("the records are in no shard")
}

func readErrors(t *testing.T, d Door, r Resources) {
	shards, err := d.Shards(t.Context(), r.Stream)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.GetShardIterator(t.Context(), r.Stream, "shardId-000000009999", cloud.IteratorStart{Type: cloud.TrimHorizon})
	wantCode(t, "an iterator of a missing shard", err, "ResourceNotFoundException")
	_, err = d.GetShardIterator(t.Context(), r.Stream, shards[0], cloud.IteratorStart{Type: cloud.AtSequenceNumber, SequenceNumber: "1"})
	wantCode(t, "an iterator at an invalid sequence number", err, "InvalidArgumentException")
	_, err = d.GetRecords(t.Context(), "AAAA", 0)
	wantCode(t, "an invalid iterator", err, "InvalidArgumentException")
}

func messages(t *testing.T, d Door, _ Resources) {
	const delay = 2 * time.Second
	begun := time.Now()
	for body, wait := range map[string]time.Duration{"late": delay, "now": 0} {
		if id, err := d.Send(t.Context(), body, wait); err != nil || id == "" {
			t.Fatalf("Send = %q, %v, want an id", id, err)
		}
	}
	// A slow machine may ask so late that the delayed message is visible.
	body, _, ok, err := d.ReceiveMessage(t.Context(), delay)
	if early := time.Since(begun) < delay; err != nil || !ok || early && body != "now" {
		t.Fatalf("Receive = %q, %v, %v, want the message that is visible", body, ok, err)
	}
	body, _, ok, err = d.ReceiveMessage(t.Context(), delay)
	if early := time.Since(begun) < delay; err != nil || ok && early {
		t.Errorf("Receive = %q, %v, want none: one is invisible, the other delayed", body, err)
	}
	seen := make(map[string]int)
	for deadline := time.Now().Add(time.Minute); len(seen) < 2 && time.Now().Before(deadline); {
		body, remove, ok, err := d.ReceiveMessage(t.Context(), 30*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			continue
		}
		seen[body]++
		if err := remove(); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[string]int{"now": 1, "late": 1}, seen); diff != "" {
		t.Errorf("messages differ (-want +got):\n%s", diff)
	}
}

func secret(t *testing.T, d Door, r Resources) {
	if got, err := d.GetSecretValue(t.Context(), r.Secret); err != nil || got != r.SecretValue {
		t.Errorf("Secret = %q, %v, want %q", got, err, r.SecretValue)
	}
	_, err := d.GetSecretValue(t.Context(), r.Secret+"-none")
	wantCode(t, "a missing secret", err, "ResourceNotFoundException")
}
