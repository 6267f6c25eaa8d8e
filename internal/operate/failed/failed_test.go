package failed_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/failed"
	"github.com/data-sink/data-sink/internal/operate/post"
	"github.com/data-sink/data-sink/internal/operate/resume"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/rig/s3test"
	"github.com/google/go-cmp/cmp"
)

var at = time.Date(2026, 11, 22, 23, 5, 0, 0, time.UTC)

// bench is a bucket with an API.
type bench struct {
	t      *testing.T
	bucket *bucket.Bucket
	store  archive.Store
	api    *post.Client

	mu       sync.Mutex
	accepted []string // stream, key and body of each
	refuse   func(body string) int
}

func newBench(t *testing.T) *bench {
	t.Helper()
	client := s3test.Start(t, s3test.Options{})
	b := &bench{t: t, bucket: bucket.New(client, s3test.Bucket), store: archive.NewS3(client, s3test.Bucket)}
	api := httptest.NewServer(b)
	t.Cleanup(api.Close)
	b.api = &post.Client{URL: api.URL, User: "u", Password: "p", MaxAttempts: 1}
	return b
}

func (b *bench) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil && b.refuse != nil {
		if status := b.refuse(string(body)); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	b.accepted = append(b.accepted, strings.TrimPrefix(r.URL.Path, "/archives/")+" "+r.URL.Query().Get("partition_key")+" "+string(body))
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprint(w, `{"id":"x"}`)
}

// taken returns what was accepted since the last call, sorted.
func (b *bench) taken() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := slices.Sorted(slices.Values(b.accepted))
	b.accepted = nil
	return taken
}

func (b *bench) put(key, content string) {
	b.t.Helper()
	if err := b.store.Put(b.t.Context(), key, []byte(content)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) aside(stage, stream, name string, records ...archive.DeadLetter) {
	b.t.Helper()
	if _, err := archive.New(b.store, "d").PutDeadLetters(b.t.Context(), stage, stream, name, records); err != nil {
		b.t.Fatal(err)
	}
}

// fill puts one object of each form into the bucket.
func (b *bench) fill() {
	decodable, err := envelope.Encode(envelope.Record{Stream: "orders", ReceivedAt: at, ID: "e1", Body: []byte("from an envelope")})
	if err != nil {
		b.t.Fatal(err)
	}
	b.aside(archive.StageDrainer, "orders", "claim.1",
		archive.DeadLetter{Reason: "invalid", FailedAt: at, ReceivedAt: at, ID: "d1", PartitionKey: "k", Body: []byte("from the drainer")},
		archive.DeadLetter{Reason: "undecodable", FailedAt: at, Envelope: []byte("junk")},
		archive.DeadLetter{Reason: "undecodable", FailedAt: at, Envelope: decodable},
	)
	b.aside(archive.StageBridge, "views", "shard-1", archive.DeadLetter{Reason: "over the limit", FailedAt: at, ID: "shardId-0:7", PartitionKey: "p", Body: []byte("from the bridge")})
	b.put("failed/firehose/orders/processing-failed/dt=2026-11-22/hour=23/x",
		`{"attemptsMade":4,"arrivalTimestamp":1795388700000,"errorCode":"S3.Down","errorMessage":"no","attemptEndingTimestamp":1795388701000,"rawData":"`+
			base64.StdEncoding.EncodeToString([]byte("from\nFirehose\n"))+`"}`+"\n")
	b.put("aws/lambda/m-1/shardId-0/2026/11/22/x", lambdaObject(b.t, "orders", "one of Lambda", "two of Lambda"))
	b.put("failed/other", "not of this project")
}

func lambdaObject(t *testing.T, stream string, bodies ...string) string {
	t.Helper()
	type object = map[string]any
	var records []cloud.EventRecord
	for i, body := range bodies {
		records = append(records, cloud.EventRecord{
			Stream: "datasink." + stream, Shard: "shardId-0",
			Record: cloud.Record{SequenceNumber: fmt.Sprint(100 + i), PartitionKey: "lk", ArrivedAt: time.UnixMilli(1795388700_123), Data: []byte(body)},
		})
	}
	content, err := json.Marshal(object{
		"KinesisBatchInfo": object{"streamArn": "arn:aws:kinesis:eu-west-1:123456789012:stream/datasink." + stream},
		"payload":          string(cloud.KinesisEvent(records...)), "requestContext": object{"condition": "RetryAttemptsExhausted"}, "timestamp": "2026-11-22T23:05:00.000Z",
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func (b *bench) list(f failed.Filter) []failed.Object {
	b.t.Helper()
	var all []failed.Object
	for o, err := range failed.List(b.t.Context(), b.bucket, f) {
		if err != nil {
			b.t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

func TestListFindsEveryForm(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fill()
	for _, tt := range []struct {
		name   string
		filter failed.Filter
		want   []string
	}{
		{"all", failed.Filter{}, []string{"bridge views", "drainer orders", "firehose orders", "lambda orders"}},
		{"of a stream", failed.Filter{Stream: "orders"}, []string{"drainer orders", "firehose orders", "lambda orders"}},
		{"of another", failed.Filter{Stream: "views"}, []string{"bridge views"}},
		{"until now", failed.Filter{To: time.Now().Add(time.Minute)}, []string{"bridge views", "drainer orders", "firehose orders", "lambda orders"}},
		{"of the future", failed.Filter{From: time.Now().Add(time.Minute)}, nil},
	} {
		var got []string
		for _, o := range b.list(tt.filter) {
			got = append(got, o.Stage+" "+o.Stream)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: objects differ (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestRecordsReadsEveryForm(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fill()
	var got []failed.Record
	for _, o := range b.list(failed.Filter{}) {
		for r, err := range failed.Records(t.Context(), b.bucket, o) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, r)
		}
	}
	arrived := time.UnixMilli(1795388700123).UTC()
	want := []failed.Record{
		{Stage: "bridge", Stream: "views", Reason: "over the limit", FailedAt: at, ID: "shardId-0:7", PartitionKey: "p", Body: []byte("from the bridge")},
		{Stage: "drainer", Stream: "orders", Reason: "invalid", FailedAt: at, ReceivedAt: at, ID: "d1", PartitionKey: "k", Body: []byte("from the drainer")},
		{Stage: "drainer", Stream: "orders", Reason: "undecodable", FailedAt: at, Envelope: []byte("junk")},
		{Stage: "drainer", Stream: "orders", Reason: "undecodable", FailedAt: at, ReceivedAt: at, ID: "e1", Body: []byte("from an envelope")},
		{
			Stage: "firehose", Stream: "orders", Reason: "S3.Down: no", FailedAt: time.UnixMilli(1795388701000).UTC(),
			ReceivedAt: time.UnixMilli(1795388700000).UTC(), Body: []byte("from\nFirehose\n"),
		},
		{Stage: "lambda", Stream: "orders", Reason: "RetryAttemptsExhausted", FailedAt: at, ReceivedAt: arrived, ID: "shardId-0:100", PartitionKey: "lk", Body: []byte("one of Lambda")},
		{Stage: "lambda", Stream: "orders", Reason: "RetryAttemptsExhausted", FailedAt: at, ReceivedAt: arrived, ID: "shardId-0:101", PartitionKey: "lk", Body: []byte("two of Lambda")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records differ (-want +got):\n%s", diff)
	}
}

func TestRecordsRefusesWhatIsMalformed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for key, content := range map[string]string{
		"failed/drainer/a/x": "{}", "failed/bridge/b/x": "no JSON", "failed/firehose/c/x": `{"errorCode":"x"}`,
		"aws/lambda/m-2/s/x": `{"requestContext":{}}`, "aws/lambda/m-3/s/x": `{"payload":"no event"}`, "failed/firehose/d/x": "\x1f\x8b",
	} {
		b.put(key, content)
	}
	n := 0
	for _, o := range b.list(failed.Filter{}) {
		n++
		var err error
		for _, err = range failed.Records(t.Context(), b.bucket, o) {
		}
		if err == nil || !strings.Contains(err.Error(), o.Key) {
			t.Errorf("Records of %s: %v, want an error that names it", o.Key, err)
		}
	}
	if n != 6 {
		t.Errorf("listed %d objects, want 6", n)
	}
}

func (b *bench) redriver(t *testing.T) *failed.Redriver {
	t.Helper()
	state, err := resume.Open(filepath.Join(t.TempDir(), "state"), "redrive")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := state.Close(); err != nil {
			t.Error(err)
		}
	})
	return &failed.Redriver{Objects: b.bucket, Store: b.store, Client: b.api, Concurrency: 4, State: state}
}
