package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// exhausted returns the number of the first records to discard, and the reason.
func (m *Mapping) exhausted(retries int, batch []batchRecord) (reason string, records int) {
	if m.MaxRetries > 0 && retries > m.MaxRetries {
		return "RetryAttemptsExhausted", len(batch)
	}
	if m.MaxAge == 0 {
		return "", 0
	}
	for records < len(batch) && m.Now().Sub(batch[records].arrived) > m.MaxAge {
		records++
	}
	return "RecordAgeExceeded", records
}

// invocationRecord is the object that AWS writes to an S3 destination.
// https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
type invocationRecord struct {
	RequestContext struct {
		RequestID              string `json:"requestId"`
		FunctionARN            string `json:"functionArn"`
		Condition              string `json:"condition"`
		ApproximateInvokeCount int    `json:"approximateInvokeCount"`
	} `json:"requestContext"`
	ResponseContext struct {
		StatusCode      int     `json:"statusCode"`
		ExecutedVersion string  `json:"executedVersion"`
		FunctionError   *string `json:"functionError"`
	} `json:"responseContext"`
	Version   string           `json:"version"`
	Timestamp string           `json:"timestamp"`
	Batch     kinesisBatchInfo `json:"KinesisBatchInfo"`
	// Payload is the whole event as text.
	Payload string `json:"payload"`
}

type kinesisBatchInfo struct {
	ShardID     string `json:"shardId"`
	FirstNumber string `json:"startSequenceNumber"`
	LastNumber  string `json:"endSequenceNumber"`
	FirstTime   string `json:"approximateArrivalOfFirstRecord"`
	LastTime    string `json:"approximateArrivalOfLastRecord"`
	Size        int    `json:"batchSize"`
	StreamARN   string `json:"streamArn"`
}

// discard gives a part to OnFailure and moves on. An error means that OnFailure
// has not kept the part.
func (p *poller) discard(ctx context.Context, what part, condition string, functionError bool) error {
	m := p.mapping
	event, err := p.read(what, m.BatchBytes)
	if err != nil {
		return err
	}
	first, last := event.batch[0], event.batch[len(event.batch)-1]
	now := m.Now().UTC()
	const millis = "2006-01-02T15:04:05.000Z"
	record := invocationRecord{Version: "1.0", Timestamp: now.Format(millis), Payload: string(event.bytes())}
	record.RequestContext.RequestID = uuid.NewString()
	record.RequestContext.FunctionARN = m.FunctionARN
	record.RequestContext.Condition = condition
	record.RequestContext.ApproximateInvokeCount = what.retries
	record.ResponseContext.StatusCode = 200
	record.ResponseContext.ExecutedVersion = "$LATEST"
	if unhandled := "Unhandled"; functionError {
		record.ResponseContext.FunctionError = &unhandled
	}
	record.Batch = kinesisBatchInfo{
		ShardID: p.shard.id, FirstNumber: first.sequence, LastNumber: last.sequence,
		FirstTime: first.arrived.Format(millis), LastTime: last.arrived.Format(millis),
		Size: len(event.batch), StreamARN: StreamARN(m.Stream),
	}
	body, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("encoding the discarded batch: %w", err)
	}
	if err := m.OnFailure.Put(ctx, m.failureKey(p.shard.id, now), body); err != nil {
		return fmt.Errorf("keeping the discarded batch: %w", err)
	}
	return p.passed(last)
}

// failureKey is the key of a discarded batch, in AWS's form.
func (m *Mapping) failureKey(shardID string, now time.Time) string {
	return fmt.Sprintf("aws/lambda/%s/%s/%s-%s", m.id, shardID, now.Format("2006/01/02/2006-01-02T15.04.05"), uuid.NewString())
}
