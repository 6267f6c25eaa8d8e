package awstest_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/awstest"
)

// start runs an endpoint with one of everything.
func start(t *testing.T, faults *cloud.Faults) *awstest.Server {
	t.Helper()
	streams, err := stream.Parse([]byte(`{"streams":[{"name":"orders","shards":2}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return awstest.StartForTest(t, awstest.Options{
		Dir: t.TempDir(), Buckets: []string{"archive"}, Queues: []string{"/wake"}, Secrets: map[string]string{"clients": `{"me":"secret"}`},
		Deployment: "d", Streams: streams, Faults: faults,
	})
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
