package awstest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/function"
	"github.com/data-sink/data-sink/internal/pipeline/wake"
	"github.com/data-sink/data-sink/internal/rig/awstest"
	"github.com/google/go-cmp/cmp"
)

func TestKinesisKeepsRecordsByShard(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	for i := range 20 {
		out, err := putRecords(t, s.URL, fmt.Sprint("key", i), fmt.Sprint("data", i), "same", "x")
		if err != nil || *out.FailedRecordCount != 0 || len(out.Records) != 2 {
			t.Fatalf("PutRecords = %+v, %v", out, err)
		}
	}
	total, used := 0, 0
	for _, shard := range s.Kinesis.Shards("d.orders") {
		records := shard.Read(0, 1000, 1<<20)
		sequence := ""
		for i, r := range records {
			if r.Position != int64(i) || r.SequenceNumber <= sequence {
				t.Errorf("%s: record %d has position %d and sequence number %s after %s", shard.ID, i, r.Position, r.SequenceNumber, sequence)
			}
			sequence = r.SequenceNumber
		}
		if total += len(records); len(records) > 0 {
			used++
		}
		if got := shard.Read(1, 2, 1); len(records) > 2 && (len(got) != 1 || got[0].Position != 1) {
			t.Errorf("%s: Read(1, 2, 1) = %v, want the one record at position 1", shard.ID, got)
		}
		next, _ := shard.Next()
		shard.Trim(next - 1)
		if got := shard.Read(0, 1000, 1<<20); len(got) != 1 || got[0].Position != next-1 {
			t.Errorf("%s: after Trim %d records", shard.ID, len(got))
		}
	}
	if total != 40 || used != 2 {
		t.Errorf("%d records in %d shards, want 40 in 2", total, used)
	}
}

func TestRealLimitsHold(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *awstest.Options) {
		o.Invalid = func(key string, _ []byte) bool { return key == "bad" }
		o.InvalidPacked = func(data []byte) bool { return string(data) == "bad" }
	})
	mib := strings.Repeat("x", 1<<20-1)
	many := make([]string, 2*501)
	for i := range many {
		many[i] = "k"
	}
	for name, input := range map[string][]string{
		"501 records": many, "a record over 1 MiB": {"key", mib}, "6 MiB": {"k", mib, "k", mib, "k", mib, "k", mib, "k", mib, "k", mib},
		"no key": {"", "x"}, "a long key": {strings.Repeat("k", 257), "x"}, "called invalid": {"k", "x", "bad", "x"},
	} {
		if _, err := putRecords(t, s.URL, input...); code(err) != "InvalidArgumentException" {
			t.Errorf("PutRecords of %s: %v, want InvalidArgumentException", name, err)
		}
	}
	if _, err := putRecords(t, s.URL, "k", mib, "k", mib, "k", mib, "k", mib, "k", mib[5:]); err != nil {
		t.Errorf("PutRecords of 5 MiB: %v", err)
	}
	if _, err := putBatch(t, s.URL, strings.Repeat("x", 1_024_001)); code(err) != "InvalidArgumentException" {
		t.Errorf("PutRecordBatch over the record limit: %v", err)
	}
	if _, err := putBatch(t, s.URL, "x", "bad"); code(err) != "InvalidArgumentException" {
		t.Errorf("PutRecordBatch of what is called invalid: %v, want InvalidArgumentException", err)
	}
	if _, err := putBatch(t, s.URL, slices.Repeat([]string{strings.Repeat("x", 1_024_000)}, 5)...); code(err) != "InvalidArgumentException" {
		t.Errorf("PutRecordBatch over the call limit: %v", err)
	}
	stream := "d.absent"
	_, err := kinesis.NewFromConfig(config(s.URL, "AKIA")).PutRecords(t.Context(), &kinesis.PutRecordsInput{
		StreamName: &stream, Records: []kinesistypes.PutRecordsRequestEntry{{PartitionKey: &stream, Data: []byte("x")}},
	})
	if code(err) != "ResourceNotFoundException" {
		t.Errorf("PutRecords to no stream: %v", err)
	}
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func TestFirehoseWritesOneObjectOfManyRecords(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	for range 2 {
		if out, err := putBatch(t, s.URL, "a\n", "b\n"); err != nil || *out.FailedPutCount != 0 {
			t.Fatalf("PutRecordBatch = %+v, %v", out, err)
		}
	}
	if err := s.Firehose.Flush(); err != nil {
		t.Fatal(err)
	}
	keys, err := s.S3.Keys("archive", "orders/")
	if err != nil || len(keys) != 1 {
		t.Fatalf("objects %v, %v, want one", keys, err)
	}
	f, err := s.S3.Open("archive", keys[0])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(z); err != nil || string(body) != "a\nb\na\nb\n" {
		t.Errorf("object is %q, %v", body, err)
	}
}

func TestS3(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	client := s3.NewFromConfig(config(s.URL, "AKIA"), func(o *s3.Options) { o.UsePathStyle = true })
	store := archive.NewS3(client, "archive")
	if err := store.Check(t.Context()); err != nil {
		t.Errorf("Check: %v", err)
	}
	if err := archive.NewS3(client, "absent").Check(t.Context()); err == nil {
		t.Error("Check of an absent bucket: no error")
	}
	body := bytes.Repeat([]byte("body"), 1<<20)
	var want []string
	for i := range 5 {
		key := fmt.Sprintf("orders/dt=2026-11-22/hour=23/%d.gz", i)
		want = append(want, key)
		if err := store.Put(t.Context(), key, body); err != nil {
			t.Fatalf("Put: %v", err)
		}
	}
	if err := store.Put(t.Context(), "other", nil); err != nil {
		t.Fatalf("Put of nothing: %v", err)
	}
	bucket := "archive"
	out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &want[0]})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(out.Body); err != nil || !bytes.Equal(got, body) {
		t.Errorf("GetObject: %d bytes, %v, want what was put", len(got), err)
	}
	var got []string
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: aws.String("orders/"), MaxKeys: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range page.Contents {
			got = append(got, *object.Key)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys differ (-want +got):\n%s", diff)
	}
	if err := store.Put(t.Context(), "../escape", body); err == nil {
		t.Error("Put outside of the bucket: no error")
	}
}

func TestSQSDelaysAndRedelivers(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	waker := wake.New(sqs.NewFromConfig(config(s.URL, "AKIA")), s.URL+"/wake")
	for stream, delay := range map[string]time.Duration{"late": time.Second, "now": 0} {
		if err := waker.Wake(t.Context(), stream, delay); err != nil {
			t.Fatal(err)
		}
	}
	begun := time.Now()
	first, _ := s.SQS.Receive(t.Context(), "/wake", time.Millisecond)
	again, _ := s.SQS.Receive(t.Context(), "/wake", time.Hour)
	if first.Body != `{"stream":"now"}` || again.ID != first.ID || again.Received != 2 {
		t.Errorf("received %+v and %+v, want the same one twice", first, again)
	}
	s.SQS.Delete("/wake", first.ID)
	late, ok := s.SQS.Receive(t.Context(), "/wake", time.Hour)
	if !ok || late.Body != `{"stream":"late"}` || time.Since(begun) < 900*time.Millisecond {
		t.Errorf("received %+v, %v after %v, want the late one after a second", late, ok, time.Since(begun))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if got, ok := s.SQS.Receive(ctx, "/wake", time.Hour); ok {
		t.Errorf("received %+v, want nothing: it is not visible", got)
	}
	if err := wake.New(sqs.NewFromConfig(config(s.URL, "AKIA")), s.URL+"/absent").Wake(t.Context(), "x", 0); err == nil {
		t.Error("Wake by an absent queue: no error")
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	client := secretsmanager.NewFromConfig(config(s.URL, "AKIA"))
	clients := function.Secret(client, "clients")
	if value, err := clients(t.Context()); err != nil || string(value) != `{"me":"secret"}` {
		t.Errorf("Secret = %s, %v", value, err)
	}
	s.SetSecret("clients", "another")
	if value, err := clients(t.Context()); err != nil || string(value) != "another" {
		t.Errorf("Secret after a change = %s, %v", value, err)
	}
	if _, err := function.Secret(client, "absent")(t.Context()); err == nil {
		t.Error("Secret of an absent secret: no error")
	}
}

func TestAtOnceAnswersEveryRecord(t *testing.T) {
	t.Parallel()
	h := new(awstest.AtOnce)
	s := httptest.NewServer(h)
	defer s.Close()
	for range 2 {
		out, err := putRecords(t, s.URL, "k", "a", "k", "b", "k", "c")
		if err != nil || len(out.Records) != 3 || out.Records[2].SequenceNumber == nil || *out.FailedRecordCount != 0 {
			t.Fatalf("PutRecords = %+v, %v", out, err)
		}
	}
	out, err := putBatch(t, s.URL, "a", "b")
	if err != nil || len(out.RequestResponses) != 2 || out.RequestResponses[1].RecordId == nil {
		t.Fatalf("PutRecordBatch = %+v, %v", out, err)
	}
	if h.Calls.Load() != 3 || h.Records.Load() != 8 || h.Bytes.Load() == 0 {
		t.Errorf("counted %d calls, %d records, %d bytes", h.Calls.Load(), h.Records.Load(), h.Bytes.Load())
	}
}
