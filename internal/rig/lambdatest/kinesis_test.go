package lambdatest_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/data-sink/data-sink/internal/rig/lambdatest"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestKinesisEventIsWhatLambdaSends(t *testing.T) {
	t.Parallel()
	arrived := time.Date(2026, 11, 22, 23, 0, 0, 250e6, time.UTC)
	event := lambdatest.KinesisEvent(
		lambdatest.KinesisRecord{Stream: "datasink.orders", Shard: "shardId-000000000007", Sequence: "1", Key: "\"\x00é", Arrived: arrived, Data: []byte("\x00\xff")},
		lambdatest.KinesisRecord{Stream: "datasink.orders", Sequence: "2"},
	)
	record := func(id, sequence, key string, arrived time.Time, data []byte) events.KinesisEventRecord {
		return events.KinesisEventRecord{
			AwsRegion: "eu-central-1", EventID: id, EventName: "aws:kinesis:record", EventSource: "aws:kinesis", EventVersion: "1.0",
			EventSourceArn:    "arn:aws:kinesis:eu-central-1:123456789012:stream/datasink.orders",
			InvokeIdentityArn: "arn:aws:iam::123456789012:role/datasink-bridge",
			Kinesis: events.KinesisRecord{
				ApproximateArrivalTimestamp: events.SecondsEpochTime{Time: arrived}, Data: data,
				KinesisSchemaVersion: "1.0", PartitionKey: key, SequenceNumber: sequence,
			},
		}
	}
	want := events.KinesisEvent{Records: []events.KinesisEventRecord{
		record("shardId-000000000007:1", "1", "\"\x00é", arrived, []byte("\x00\xff")),
		record("shardId-000000000000:2", "2", "key", time.Date(2026, 11, 22, 22, 59, 59, 500e6, time.UTC), []byte{}),
	}}
	var got events.KinesisEvent
	if err := json.Unmarshal(event, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateApproxTime(time.Millisecond)); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}
