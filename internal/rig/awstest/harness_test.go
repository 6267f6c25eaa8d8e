package awstest_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/data-sink/data-sink/internal/rig/awstest"
)

// start runs an endpoint with one of everything.
func start(t *testing.T, change func(*awstest.Options)) *awstest.Server {
	t.Helper()
	o := awstest.Options{
		Dir: t.TempDir(), Buckets: []string{"archive"}, Queues: []string{"/wake"},
		Secrets: map[string]string{"clients": `{"me":"secret"}`},
		Shards:  map[string]int{"d.orders": 2},
		Deliveries: map[string]awstest.Delivery{
			"d.orders": {Bucket: "archive", Suffix: ".gz", Gzip: true, BufferBytes: 1 << 20, Folder: func(time.Time) string { return "orders/" }},
		},
	}
	if change != nil {
		change(&o)
	}
	s, err := awstest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// config is that of a client of the endpoint, which signs as caller and never
// tries again.
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

// stored returns the data of all shards, by position.
func stored(s *awstest.Server) []string {
	var all []string
	for _, shard := range s.Kinesis.Shards("d.orders") {
		for _, r := range shard.Read(0, 1000, 1<<20) {
			all = append(all, string(r.Data))
		}
	}
	return all
}
