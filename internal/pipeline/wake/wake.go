// Package wake sends wake-ups through SQS, which tell the drainer that a stream has
// records.
//
// The body of a wake-up is a JSON object with the name of the stream:
// {"stream":"orders"}.
package wake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// maxDelay is the longest delivery delay of SQS.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
const maxDelay = 15 * time.Minute

// sqsAPI is the call that a Waker makes; *sqs.Client implements it.
type sqsAPI interface {
	SendMessage(ctx context.Context, in *sqs.SendMessageInput, options ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

// wakeUp is the body of a wake-up.
type wakeUp struct {
	Stream string `json:"stream"`
}

// Waker sends wake-ups. It is safe for concurrent use.
type Waker struct {
	client   sqsAPI
	queueURL string
}

// DualStack returns an option that makes a client call the dual-stack endpoint of SQS,
// if enabled. A configured endpoint remains in use: the SDK refuses the combination.
func DualStack(enabled bool) func(*sqs.Options) {
	return func(o *sqs.Options) {
		if enabled && o.BaseEndpoint == nil {
			o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
		}
	}
}

// New returns a Waker that sends to the queue with that URL.
func New(client sqsAPI, queueURL string) *Waker {
	return &Waker{client: client, queueURL: queueURL}
}

// Wake sends the wake-up of a stream. SQS delivers it after delay, which is rounded
// up to whole seconds and limited to 15 minutes.
func (w *Waker) Wake(ctx context.Context, stream string, delay time.Duration) error {
	body, err := Body(stream)
	if err != nil {
		return err
	}
	delay = min(max(delay, 0), maxDelay)
	_, err = w.client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl:     &w.queueURL,
		MessageBody:  &body,
		DelaySeconds: int32((delay + time.Second - 1) / time.Second),
	})
	if err != nil {
		return fmt.Errorf("sending the wake-up of %s: %w", stream, err)
	}
	return nil
}

// Body returns the body of the wake-up of a stream.
func Body(stream string) (string, error) {
	body, err := json.Marshal(wakeUp{Stream: stream})
	if err != nil {
		return "", fmt.Errorf("encoding the wake-up of %s: %w", stream, err)
	}
	return string(body), nil
}

// Parse returns the stream that the body of a wake-up names. It ignores fields that
// it does not know, so that a later version can add some.
func Parse(body string) (stream string, err error) {
	var w wakeUp
	if err := json.Unmarshal([]byte(body), &w); err != nil {
		return "", fmt.Errorf("parsing a wake-up: %w", err)
	}
	if w.Stream == "" {
		return "", errors.New("parsing a wake-up: the stream is missing")
	}
	return w.Stream, nil
}
