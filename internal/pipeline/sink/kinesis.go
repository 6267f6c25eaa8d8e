package sink

import (
	"bytes"
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

type kinesisAPI interface {
	PutRecords(context.Context, *kinesis.PutRecordsInput, ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error)
}

var _ kinesisAPI = (*kinesis.Client)(nil)

type kinesisService struct{ client kinesisAPI }

// NewKinesis returns the Service that is Kinesis PutRecords.
//
// The Writer owns the retries: whatever the client's settings are, its calls
// here make one attempt, for retries of its own would be out of sight of the
// Writer's counts, waits and MaxAttempts. The client needs a time-out, or a
// connection that hangs holds a call until the context ends (by default the
// SDK waits five minutes for a byte):
//
//	client := kinesis.NewFromConfig(cfg, func(o *kinesis.Options) {
//		o.HTTPClient = awshttp.NewBuildableClient().WithTimeout(10 * time.Second)
//	})
func NewKinesis(client kinesisAPI) Service { return kinesisService{client} }

func (s kinesisService) Put(ctx context.Context, stream string, entries []Entry) ([]Failure, error) {
	const operation = "PutRecords"
	records := make([]types.PutRecordsRequestEntry, len(entries))
	for i := range entries {
		records[i].Data = present(entries[i].Data)
		records[i].PartitionKey = &entries[i].PartitionKey
	}
	body := payloads.Get().(*[]byte)
	defer payloads.Put(body)
	*body = appendPayload((*body)[:0], entries, true, "StreamName", stream)
	allTaken := false
	out, err := s.client.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: &stream, Records: records}, func(o *kinesis.Options) {
		o.Retryer = aws.NopRetryer{}
		o.HTTPClient = plainBody{o.HTTPClient}
		o.Protocol = prepare(o.Protocol, prepared{body: *body, allTaken: func(answer []byte) bool {
			allTaken = saysAllTaken(answer, len(entries))
			return allTaken
		}})
	})
	if err != nil {
		return nil, callError(operation, err)
	}
	if allTaken {
		return nil, nil
	}
	if len(out.Records) != len(entries) {
		return nil, countError(operation, len(out.Records), len(entries))
	}
	refused := refusals{operation: operation}
	for i := range out.Records {
		refused.add(i, out.Records[i].ErrorCode)
	}
	return refused.failures, nil
}

// saysAllTaken recognizes the usual answer, of a call of which all was taken, by
// its end, its count and its fields, without parsing the sequence numbers that
// nobody wants: of small records that was a third of the drainer's CPU. Any other
// answer is for the SDK to read.
func saysAllTaken(answer []byte, entries int) bool {
	return bytes.HasSuffix(answer, []byte("}]}")) && bytes.Contains(answer, []byte(`"FailedRecordCount":0,`)) &&
		bytes.Count(answer, []byte(`{"SequenceNumber":"`)) == entries && !bytes.Contains(answer, []byte(`ErrorCode"`))
}

// present makes empty data of none: the SDK refuses a call with nil data.
func present(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}
