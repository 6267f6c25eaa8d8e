package sink

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
)

type firehoseAPI interface {
	PutRecordBatch(context.Context, *firehose.PutRecordBatchInput, ...func(*firehose.Options)) (*firehose.PutRecordBatchOutput, error)
}

var _ firehoseAPI = (*firehose.Client)(nil)

type firehoseService struct{ client firehoseAPI }

// NewFirehose returns a Service that calls Firehose PutRecordBatch. It does not send
// partition keys. For retries and time-outs, see NewKinesis.
func NewFirehose(client firehoseAPI) Service { return firehoseService{client} }

// DualStackFirehose is DualStack for Firehose.
func DualStackFirehose(enabled bool) func(*firehose.Options) {
	return func(o *firehose.Options) {
		if enabled && o.BaseEndpoint == nil {
			o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
		}
	}
}

func (s firehoseService) Put(ctx context.Context, stream string, entries []Entry) ([]Failure, error) {
	const operation = "PutRecordBatch"
	records := make([]types.Record, len(entries))
	for i := range entries {
		records[i].Data = present(entries[i].Data)
	}
	body := payloads.Get().(*[]byte)
	defer payloads.Put(body)
	*body = appendPayload((*body)[:0], entries, false, "DeliveryStreamName", stream)
	out, err := s.client.PutRecordBatch(ctx, &firehose.PutRecordBatchInput{DeliveryStreamName: &stream, Records: records}, func(o *firehose.Options) {
		o.Retryer = aws.NopRetryer{}
		o.Protocol = prepare(o.Protocol, prepared{body: *body})
	})
	if err != nil {
		return nil, callError(operation, err)
	}
	if len(out.RequestResponses) != len(entries) {
		return nil, countError(operation, len(out.RequestResponses), len(entries))
	}
	refused := refusals{operation: operation}
	for i := range out.RequestResponses {
		refused.add(i, out.RequestResponses[i].ErrorCode)
	}
	return refused.failures, nil
}
