package main

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// TestTheEndpointAnswersAsTheLocalAWS checks that each record of a call is answered and
// counted, and that the local AWS serves other calls.
func TestTheEndpointAnswersAsTheLocalAWS(t *testing.T) {
	t.Parallel()
	l, err := newLab(true)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	name, key := stream.ResourceName(deployment, orders), "k"
	record := kinesistypes.PutRecordsRequestEntry{PartitionKey: &key, Data: []byte("of any size")}
	for _, n := range []int{3, 500, 3} {
		in := kinesis.PutRecordsInput{StreamName: &name}
		batch := firehose.PutRecordBatchInput{DeliveryStreamName: &name}
		for range n {
			in.Records = append(in.Records, record)
			batch.Records = append(batch.Records, firehosetypes.Record{Data: record.Data})
		}
		out, err := kinesis.NewFromConfig(l.config()).PutRecords(t.Context(), &in)
		if err != nil || len(out.Records) != n || out.Records[n-1].SequenceNumber == nil || *out.FailedRecordCount != 0 {
			t.Fatalf("PutRecords of %d records = %+v, %v", n, out, err)
		}
		delivered, err := firehose.NewFromConfig(l.config()).PutRecordBatch(t.Context(), &batch)
		if err != nil || len(delivered.RequestResponses) != n || delivered.RequestResponses[n-1].RecordId == nil {
			t.Fatalf("PutRecordBatch of %d records = %+v, %v", n, delivered, err)
		}
	}
	if got := l.endpoint.records.Load(); got != 2*(3+500+3) {
		t.Errorf("%d records counted, want %d", got, 2*(3+500+3))
	}
	if _, err := kinesis.NewFromConfig(l.config()).PutRecords(t.Context(), &kinesis.PutRecordsInput{StreamName: &name, Records: make([]kinesistypes.PutRecordsRequestEntry, 0)}); err == nil {
		t.Error("PutRecords without records: no error")
	}
	url, body := l.aws.URL+"/wake", "a wake-up"
	if _, err := sqs.NewFromConfig(l.config()).SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body}); err != nil {
		t.Error(err)
	}
	if got := l.aws.Queues["/wake"].Len(); got != 1 {
		t.Errorf("%d wake-ups queued, want 1", got)
	}
}
