package awstest_test

import (
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/rig/awstest"
)

// start runs an endpoint with one of everything.
func start(t *testing.T, faults *cloud.Faults) *awstest.Server {
	t.Helper()
	s, err := awstest.Start(awstest.Options{
		Dir: t.TempDir(), Buckets: []string{"archive"}, Queues: []string{"/wake"},
		Secrets: map[string]string{"clients": `{"me":"secret"}`},
		Shards:  map[string]int{"d.orders": 2},
		Deliveries: map[string]cloud.DeliveryStream{
			"d.orders": {Suffix: ".gz", Gzip: true, Folder: func(time.Time) string { return "orders/" }},
		},
		Faults: faults,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// config is the configuration of a client that signs as caller and never retries.
func config(url, caller string) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: &url,
		Credentials: credentials.NewStaticCredentialsProvider(caller, "secret", ""),
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
	}
}

func putRecords(t *testing.T, url string, keysAndData ...string) (*kinesis.PutRecordsOutput, error) {
	t.Helper()
	stream := "d.orders"
	in := kinesis.PutRecordsInput{StreamName: &stream}
	for i := 0; i < len(keysAndData); i += 2 {
		in.Records = append(in.Records, kinesistypes.PutRecordsRequestEntry{PartitionKey: &keysAndData[i], Data: []byte(keysAndData[i+1])})
	}
	return kinesis.NewFromConfig(config(url, "AKIA1")).PutRecords(t.Context(), &in)
}

func putBatch(t *testing.T, url string, data ...string) (*firehose.PutRecordBatchOutput, error) {
	t.Helper()
	stream := "d.orders"
	in := firehose.PutRecordBatchInput{DeliveryStreamName: &stream}
	for _, d := range data {
		in.Records = append(in.Records, firehosetypes.Record{Data: []byte(d)})
	}
	return firehose.NewFromConfig(config(url, "AKIA1")).PutRecordBatch(t.Context(), &in)
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func TestAtOnceAnswersEveryRecord(t *testing.T) {
	t.Parallel()
	h := new(awstest.AtOnce)
	s := httptest.NewServer(h)
	defer s.Close()
	for range 2 {
		out, err := putRecords(t, s.URL, "k", "a", "k", "b", "k", "c")
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Records) != 3 || out.Records[2].SequenceNumber == nil || *out.FailedRecordCount != 0 {
			t.Fatalf("PutRecords = %+v, want three records", out)
		}
	}
	out, err := putBatch(t, s.URL, "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	if len(out.RequestResponses) != 2 || out.RequestResponses[1].RecordId == nil {
		t.Fatalf("PutRecordBatch = %+v, want two records", out)
	}
	if calls, records := h.Calls.Load(), h.Records.Load(); calls != 3 || records != 8 {
		t.Errorf("counted %d calls and %d records, want 3 and 8", calls, records)
	}
}
