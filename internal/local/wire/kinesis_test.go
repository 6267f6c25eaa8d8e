package wire_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/awstest"
)

// callKinesis sends a call as any program could send it, and returns the response's
// status, its error code and its fields.
func callKinesis(t *testing.T, url, operation, input string) (status int, code string, output map[string]any) {
	t.Helper()
	status, header, body := send(t, "POST", url, strings.NewReader(input), "X-Amz-Target", "Kinesis_20131202."+operation)
	if err := json.Unmarshal([]byte(body), &output); err != nil {
		t.Fatalf("%s %s = %q: %v", operation, input, body, err)
	}
	if header.Get("X-Amzn-Requestid") == "" {
		t.Errorf("%s %s: the response has no request id", operation, input)
	}
	code, _ = output["__type"].(string)
	return status, code, output
}

// startKinesis serves the stream d.orders with 3 shards and these bodies, whose key is
// one of the first shard.
func startKinesis(t *testing.T, bodies ...string) *awstest.Server {
	t.Helper()
	streams, err := stream.Parse([]byte(`{"streams":[{"name":"orders","shards":3}]}`))
	if err != nil {
		t.Fatal(err)
	}
	s := awstest.StartForTest(t, awstest.Options{Dir: t.TempDir(), Deployment: "d", Streams: streams})
	for _, body := range bodies {
		results, err := s.Kinesis.PutRecords(t.Context(), "d.orders", []sink.Entry{{PartitionKey: "a", Data: []byte(body)}})
		if err != nil || results[0].ShardID != "shardId-000000000000" {
			t.Fatalf("PutRecords = %+v, %v, want a record in the first shard", results, err)
		}
	}
	return s
}

func TestKinesisAnswersWithItsOwnErrors(t *testing.T) {
	t.Parallel()
	s := startKinesis(t, "one", "two")
	const (
		name     = `"StreamName":"d.orders"`
		shard    = name + `,"ShardId":"shardId-000000000000"`
		atNumber = shard + `,"ShardIteratorType":"AT_SEQUENCE_NUMBER","StartingSequenceNumber":`
		zeros    = "00000000000000000000000000000000000000000000000000000"
	)
	for _, tt := range []struct{ operation, input, code string }{
		{"ListStreams", `{"Limit":0}`, "ValidationException"},
		{"ListStreams", `{"Limit":10001}`, "ValidationException"},
		{"ListStreams", `{"Limit":"x"}`, "SerializationException"},
		{"ListStreams", `{`, "SerializationException"},
		{"listStreams", `{}`, "UnknownOperationException"},
		{"DescribeStream", `{}`, cloud.InvalidArgument},
		{"DescribeStream", `{"StreamARN":"none"}`, cloud.InvalidArgument},
		{"DescribeStream", `{"StreamName":"none"}`, cloud.ResourceNotFound},
		{"DescribeStream", `{"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/d.orders"}`, ""},
		{"DescribeStream", `{` + name + `,"Limit":-1}`, "ValidationException"},
		{"ListShards", `{}`, cloud.InvalidArgument},
		{"ListShards", `{` + name + `,"MaxResults":0}`, "ValidationException"},
		{"ListShards", `{` + name + `,"NextToken":"d.orders shardId-000000000000"}`, cloud.InvalidArgument},
		{"ListShards", `{"NextToken":"none"}`, cloud.InvalidArgument},
		{"ListShards", `{` + name + `,"ShardFilter":{"Type":"NONE"}}`, "ValidationException"},
		{"GetShardIterator", `{` + shard + `}`, cloud.InvalidArgument},
		{"GetShardIterator", `{` + shard + `,"ShardIteratorType":"AT_TIMESTAMP"}`, cloud.InvalidArgument},
		{"GetShardIterator", `{` + shard + `,"ShardIteratorType":"AT_TIMESTAMP","Timestamp":0}`, ""},
		{"GetShardIterator", `{` + shard + `,"ShardIteratorType":"AT_TIMESTAMP","Timestamp":-1e30}`, ""},
		{"GetShardIterator", `{` + shard + `,"ShardIteratorType":"AT_TIMESTAMP","Timestamp":1e30}`, cloud.InvalidArgument},
		{"GetShardIterator", `{` + atNumber + `"49` + zeros + `0"}`, ""},
		{"GetShardIterator", `{` + atNumber + `"49` + zeros + `7"}`, cloud.InvalidArgument},
		{"GetShardIterator", `{` + atNumber + `"49` + zeros[1:] + `9999999999"}`, cloud.InvalidArgument},
		{"GetRecords", `{}`, cloud.InvalidArgument},
		{"GetRecords", `{"ShardIterator":"none"}`, cloud.InvalidArgument},
		{"SubscribeToShard", `{}`, "UnknownOperationException"},
	} {
		status, code, _ := callKinesis(t, s.URL, tt.operation, tt.input)
		if want := map[bool]int{true: 200, false: 400}[tt.code == ""]; status != want || code != tt.code {
			t.Errorf("%s %s = %d %s, want %d %s", tt.operation, tt.input, status, code, want, tt.code)
		}
	}
}

// A consumer that reads while the data of the local pipeline is replaced gets an error
// instead of the bytes in the middle of a record, or none at all.
func TestKinesisRefusesAnIteratorOfAnotherStream(t *testing.T) {
	t.Parallel()
	iterator, err := startKinesis(t, "one").Kinesis.GetShardIterator(t.Context(), "d.orders", "shardId-000000000000", cloud.IteratorStart{Type: cloud.Latest})
	if err != nil {
		t.Fatal(err)
	}
	for name, bodies := range map[string][]string{"a shard with another record": {"a longer body"}, "an empty shard": nil} {
		url := startKinesis(t, bodies...).URL
		if status, code, _ := callKinesis(t, url, "GetRecords", `{"ShardIterator":"`+iterator+`"}`); status != 400 || code != cloud.InvalidArgument {
			t.Errorf("GetRecords of %s = %d %s, want 400 %s", name, status, code, cloud.InvalidArgument)
		}
	}
}

func TestKinesisListsShardsByPages(t *testing.T) {
	t.Parallel()
	s := startKinesis(t)
	var ids []string
	input := `{"StreamName":"d.orders","MaxResults":1}`
	for range 3 {
		_, _, page := callKinesis(t, s.URL, "ListShards", input)
		shards, _ := page["Shards"].([]any)
		for _, shard := range shards {
			ids = append(ids, shard.(map[string]any)["ShardId"].(string))
		}
		token, _ := page["NextToken"].(string)
		input = `{"MaxResults":1,"NextToken":"` + token + `"}`
		if token == "" {
			break
		}
	}
	if got, want := strings.Join(ids, " "), "shardId-000000000000 shardId-000000000001 shardId-000000000002"; got != want {
		t.Errorf("ListShards by pages of 1 = %s, want %s", got, want)
	}
}
