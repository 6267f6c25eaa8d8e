package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/uuid"
)

// eventPerByte is how many bytes an event may have for one in the spool: those
// of tiny records are most of all the event's own words.
const eventPerByte = 40

// step invokes the function with the next part and works out what is left.
func (p *poller) step(ctx context.Context) error {
	m := p.mapping
	what := p.todo[len(p.todo)-1]
	end, _ := p.shard.spool.tail()
	maxBytes := int(min(int64(m.BatchBytes), 4096+(end-what.offset)*eventPerByte))
	if m.Memory != nil {
		if err := m.Memory.Acquire(ctx, int64(maxBytes)); err != nil {
			return err
		}
		defer m.Memory.Release(int64(maxBytes))
	}
	event, err := p.read(what, maxBytes)
	if err != nil {
		return err
	}
	batch := event.batch
	if len(batch) == 0 {
		p.todo = p.todo[:len(p.todo)-1]
		return nil
	}
	taken, err := m.invoke(ctx, event)
	if taken > 0 {
		if err := p.passed(batch[taken-1]); err != nil {
			return err
		}
	}
	if taken > 0 {
		p.failures = 0
	}
	if taken == len(batch) {
		p.todo = p.todo[:len(p.todo)-1]
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	left := part{offset: batch[taken].offset, records: len(batch) - taken, retries: what.retries + 1}
	if taken > 0 {
		left.retries = 1
	}
	if reason, records := m.exhausted(left, batch[taken:]); records > 0 {
		given := part{offset: left.offset, records: records, retries: left.retries}
		if kept := p.giveUp(ctx, given, reason, err != nil); kept != nil {
			return kept
		}
		if p.todo = p.todo[:len(p.todo)-1]; records < left.records {
			p.todo = append(p.todo, part{offset: batch[taken+records].offset, records: left.records - records, retries: left.retries})
		}
		return fmt.Errorf("gave up %d records: %w", records, orPartial(err))
	}
	p.todo = p.todo[:len(p.todo)-1]
	if err != nil && left.records > 1 {
		first := left.records / 2
		left.retries = what.retries // Splitting is no retry.
		second := part{offset: batch[taken+first].offset, records: left.records - first, retries: left.retries}
		left.records = first
		p.todo = append(p.todo, second)
	}
	p.todo = append(p.todo, left)
	return orPartial(err)
}

var errPartial = errors.New("the function took a part of the batch")

func orPartial(err error) error {
	if err == nil {
		return errPartial
	}
	return err
}

// invoke returns how many records, from the first on, the function took. With an
// error it took none.
func (m *Mapping) invoke(ctx context.Context, event *kinesisEvent) (taken int, err error) {
	answer, err := m.Function.Invoke(ctx, event.bytes())
	if err != nil {
		return 0, err
	}
	var response events.KinesisEventResponse
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &response); err != nil {
			return 0, fmt.Errorf("reading the function's answer: %w", err)
		}
	}
	at := make(map[string]int, len(event.batch))
	for i, r := range event.batch {
		at[r.sequence] = i
	}
	taken = len(event.batch)
	for _, failure := range response.BatchItemFailures {
		i, ok := at[failure.ItemIdentifier]
		if !ok {
			return 0, fmt.Errorf("reading the function's answer: no record %q in the batch", failure.ItemIdentifier)
		}
		taken = min(taken, i)
	}
	return taken, nil
}

// passed notes that all records up to this one are dealt with.
func (p *poller) passed(r batchRecord) error {
	if err := writeFile(p.checkpoint, []byte(r.sequence+"\n")); err != nil {
		return fmt.Errorf("writing checkpoint: %w", err)
	}
	p.position.Store(r.next)
	return p.shard.spool.trim(r.next, keptForTaps)
}

// exhausted returns how many of the first records are to be given up, and why.
func (m *Mapping) exhausted(left part, batch []batchRecord) (reason string, records int) {
	if m.MaxRetries > 0 && left.retries > m.MaxRetries {
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

// invocationRecord is what AWS writes to an S3 destination.
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
	// Payload is the whole event, as text.
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

// giveUp hands a part to the destination and moves on behind it. An error means
// that the destination has not taken it.
func (p *poller) giveUp(ctx context.Context, what part, condition string, functionError bool) error {
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
	record.RequestContext.FunctionARN = m.Function.ARN()
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
		Size: len(event.batch), StreamARN: kinesisARN(m.Stream),
	}
	body, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("encoding the given up batch: %w", err)
	}
	if err := m.OnFailure.Put(ctx, m.failureKey(p.shard.id, now), body); err != nil {
		return fmt.Errorf("keeping the given up batch: %w", err)
	}
	return p.passed(last)
}

// failureKey is the key that AWS gives to a batch that was given up.
func (m *Mapping) failureKey(shardID string, now time.Time) string {
	return fmt.Sprintf("aws/lambda/%s/%s/%s-%s", m.id, shardID, now.Format("2006/01/02/2006-01-02T15.04.05"), uuid.NewString())
}
