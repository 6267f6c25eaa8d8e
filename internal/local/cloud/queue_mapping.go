package cloud

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/uuid"
)

// Invoker is a function that an event source mapping invokes.
type Invoker interface {
	Invoke(ctx context.Context, event []byte) ([]byte, error)
}

// QueueMappingOptions say how a QueueMapping delivers.
type QueueMappingOptions struct {
	Queue *Queue
	// Function gets each message in an event of its own.
	Function Invoker
	// Concurrency is the number of invocations that run at once.
	Concurrency int
	// Visibility is how long a message stays invisible while the function has it.
	// It must be longer than an invocation.
	Visibility time.Duration
	// Retry is the wait before a message that failed is delivered again.
	Retry time.Duration
	// MaxReceives is the number of deliveries after which a message becomes a dead
	// letter.
	MaxReceives int
	Log         *slog.Logger
}

// QueueMapping is the event source mapping from an SQS queue to a function. Batch
// size is 1. It is safe for concurrent use.
type QueueMapping struct {
	QueueMappingOptions
	dead atomic.Int64
}

// NewQueueMapping returns a mapping, which delivers while Run runs.
func NewQueueMapping(o QueueMappingOptions) *QueueMapping {
	return &QueueMapping{QueueMappingOptions: o}
}

// Run delivers until ctx ends, and returns when all invocations have ended. The
// end of ctx does not interrupt an invocation.
func (m *QueueMapping) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for range m.Concurrency {
		wg.Go(func() {
			for {
				message, ok := m.Queue.Receive(ctx, m.Visibility)
				if !ok {
					return
				}
				m.deliver(context.WithoutCancel(ctx), message)
			}
		})
	}
	wg.Wait()
}

// DeadLetters is the number of messages that have become dead letters.
func (m *QueueMapping) DeadLetters() int { return int(m.dead.Load()) }

func (m *QueueMapping) deliver(ctx context.Context, message Message) {
	err := m.invoke(ctx, message)
	switch {
	case err == nil:
		m.Queue.Delete(message.ID)
	case message.Received < m.MaxReceives:
		m.Log.WarnContext(ctx, "wake-up failed", "body", message.Body, "receives", message.Received, "error", err)
		m.Queue.ChangeVisibility(message.ID, m.Retry)
	default:
		m.Log.ErrorContext(ctx, "wake-up is a dead letter", "body", message.Body, "error", err)
		m.dead.Add(1)
		m.Queue.Delete(message.ID)
	}
}

// invoke invokes the function with one message. An error means that the message
// must be delivered again.
func (m *QueueMapping) invoke(ctx context.Context, message Message) error {
	sum := md5.Sum([]byte(message.Body)) // SQS's own checksum
	event, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{
		MessageId:     message.ID,
		ReceiptHandle: uuid.NewString(),
		Body:          message.Body,
		Md5OfBody:     hex.EncodeToString(sum[:]),
		Attributes: map[string]string{
			"ApproximateReceiveCount": strconv.Itoa(message.Received),
			"SentTimestamp":           strconv.FormatInt(message.SentAt.UnixMilli(), 10),
		},
		MessageAttributes: map[string]events.SQSMessageAttribute{},
		EventSource:       "aws:sqs",
		EventSourceARN:    m.Queue.ARN(),
		AWSRegion:         Region,
	}}})
	if err != nil {
		return fmt.Errorf("encoding the message: %w", err)
	}
	answer, err := m.Function.Invoke(ctx, event)
	if err != nil {
		return err
	}
	var response events.SQSEventResponse
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &response); err != nil {
			return fmt.Errorf("reading the function's response: %w", err)
		}
	}
	if len(response.BatchItemFailures) > 0 {
		return fmt.Errorf("the function returned the message %s", message.ID)
	}
	return nil
}
