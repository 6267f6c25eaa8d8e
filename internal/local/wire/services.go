package wire

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"net/url"
	"strconv"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

func (h *server) addFirehose(f *cloud.Firehose) {
	h.operations["Firehose_20150804.PutRecordBatch"] = typed(firehoseAPI{f}.putRecordBatch)
}

type firehoseAPI struct{ *cloud.Firehose }

type putRecordBatchInput struct {
	DeliveryStreamName string
	Records            []struct{ Data []byte }
}

func (f firehoseAPI) putRecordBatch(ctx context.Context, in putRecordBatchInput) (any, error) {
	entries := make([]sink.Entry, len(in.Records))
	for i, r := range in.Records {
		entries[i].Data = r.Data
	}
	results, err := f.PutRecordBatch(ctx, in.DeliveryStreamName, entries)
	if err != nil {
		return nil, err
	}
	records, failed := putResults(results, func(r cloud.PutResult) putResult { return putResult{RecordID: r.ID} })
	return map[string]any{"Encrypted": false, "FailedPutCount": failed, "RequestResponses": records}, nil
}

// putResult is the result of one record of PutRecords or PutRecordBatch.
type putResult struct {
	SequenceNumber string `json:",omitempty"`
	ShardID        string `json:"ShardId,omitempty"`
	RecordID       string `json:"RecordId,omitempty"`
	ErrorCode      string `json:",omitempty"`
	ErrorMessage   string `json:",omitempty"`
}

// putResults returns the results of a call, and the number of records that were refused.
// accepted is the result of a record that was not.
func putResults(results []cloud.PutResult, accepted func(cloud.PutResult) putResult) (records []putResult, failed int) {
	for _, r := range results {
		if r.Err != nil {
			failed++
			records = append(records, putResult{ErrorCode: r.Err.Code, ErrorMessage: r.Err.Message})
			continue
		}
		records = append(records, accepted(r))
	}
	return records, failed
}

func (h *server) addSQS(queues map[string]*cloud.Queue) {
	api := sqsAPI{queues}
	h.operations["AmazonSQS.SendMessage"] = typed(api.sendMessage)
	h.operations["AmazonSQS.ReceiveMessage"] = typed(api.receiveMessage)
	h.operations["AmazonSQS.DeleteMessage"] = typed(api.deleteMessage)
}

type sqsAPI struct{ queues map[string]*cloud.Queue }

func (s sqsAPI) queue(queueURL string) (*cloud.Queue, error) {
	if u, err := url.Parse(queueURL); err == nil && s.queues[u.Path] != nil {
		return s.queues[u.Path], nil
	}
	return nil, &cloud.Error{Code: "QueueDoesNotExist", Message: "The specified queue does not exist."}
}

type sendMessageInput struct {
	QueueURL     string `json:"QueueUrl"`
	MessageBody  string
	DelaySeconds int
}

func (s sqsAPI) sendMessage(ctx context.Context, in sendMessageInput) (any, error) {
	q, err := s.queue(in.QueueURL)
	if err != nil {
		return nil, err
	}
	id, err := q.Send(ctx, in.MessageBody, time.Duration(in.DelaySeconds)*time.Second)
	if err != nil {
		return nil, err
	}
	return map[string]string{"MessageId": id, "MD5OfMessageBody": md5Of(in.MessageBody)}, nil
}

func md5Of(body string) string {
	sum := md5.Sum([]byte(body)) // the SDKs compare this checksum
	return hex.EncodeToString(sum[:])
}

type receiveMessageInput struct {
	QueueURL          string `json:"QueueUrl"`
	VisibilityTimeout *int
	WaitTimeSeconds   int
}

// receiveMessage returns one message. Its receipt handle is its id.
func (s sqsAPI) receiveMessage(ctx context.Context, in receiveMessageInput) (any, error) {
	q, err := s.queue(in.QueueURL)
	if err != nil {
		return nil, err
	}
	visibility := 30 * time.Second
	if in.VisibilityTimeout != nil {
		visibility = time.Duration(*in.VisibilityTimeout) * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(in.WaitTimeSeconds)*time.Second+50*time.Millisecond)
	defer cancel()
	m, ok := q.Receive(ctx, visibility)
	if !ok {
		return map[string]any{}, nil
	}
	return map[string]any{"Messages": []map[string]any{{
		"MessageId": m.ID, "ReceiptHandle": m.ID, "Body": m.Body, "MD5OfBody": md5Of(m.Body),
		"Attributes": map[string]string{"ApproximateReceiveCount": strconv.Itoa(m.Received)},
	}}}, nil
}

type deleteMessageInput struct {
	QueueURL      string `json:"QueueUrl"`
	ReceiptHandle string
}

func (s sqsAPI) deleteMessage(_ context.Context, in deleteMessageInput) (any, error) {
	q, err := s.queue(in.QueueURL)
	if err != nil {
		return nil, err
	}
	q.Delete(in.ReceiptHandle)
	return map[string]any{}, nil
}

func (h *server) addSecrets(s *cloud.Secrets) {
	h.operations["secretsmanager.GetSecretValue"] = typed(func(ctx context.Context, in struct{ SecretId string }) (any, error) { // the field's own name
		value, err := s.GetSecretValue(ctx, in.SecretId)
		if err != nil {
			return nil, err
		}
		return map[string]string{"ARN": in.SecretId, "Name": in.SecretId, "SecretString": value, "VersionId": "1"}, nil
	})
}
