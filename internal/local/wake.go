package local

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"
)

// WakeQueueOptions says how a WakeQueue delivers.
type WakeQueueOptions struct {
	// Function gets the wake-ups, each in an event of its own.
	Function *Function
	// Concurrency is how many invocations run at once.
	Concurrency int64
	// Visibility is the wait before a wake-up that failed is delivered again.
	Visibility time.Duration
	// MaxReceives is how often a wake-up is delivered before it is a dead letter.
	MaxReceives int
	Log         *slog.Logger
}

// WakeQueue is the SQS queue of wake-ups and its event source mapping. It lives
// in memory: wake-ups that are lost with the process are made good by the
// schedule. It is safe for concurrent use.
type WakeQueue struct {
	WakeQueueOptions
	running *semaphore.Weighted

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	waiting map[string]bool // wake-ups, by body, that are due and wait for their turn
	dead    int
}

// NewWakeQueue returns a queue that delivers until it is closed.
func NewWakeQueue(o WakeQueueOptions) *WakeQueue {
	q := &WakeQueue{WakeQueueOptions: o, running: semaphore.NewWeighted(o.Concurrency), waiting: make(map[string]bool)}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	return q
}

// Wake has the function woken for a stream after a delay.
func (q *WakeQueue) Wake(ctx context.Context, stream string, delay time.Duration) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("waking a drainer of %s: %w", stream, err)
	}
	body, err := json.Marshal(struct {
		Stream string `json:"stream"`
	}{stream})
	if err != nil {
		return fmt.Errorf("waking a drainer of %s: %w", stream, err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return fmt.Errorf("waking a drainer of %s: the queue is closed", stream)
	}
	q.work.Go(func() { q.deliver(string(body), delay) })
	return nil
}

// Close forgets the wake-ups that wait and returns when the invocations that run
// have ended.
func (q *WakeQueue) Close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.cancel()
	q.work.Wait()
}

// DeadLetters is how many wake-ups were given up.
func (q *WakeQueue) DeadLetters() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dead
}

func (q *WakeQueue) deliver(body string, delay time.Duration) {
	id, sent := uuid.NewString(), time.Now()
	for receives := 1; receives <= q.MaxReceives; receives++ {
		sleep(q.ctx, delay)
		if !q.takeTurn(body) {
			return
		}
		err := q.receive(id, body, sent, receives)
		q.running.Release(1)
		if err == nil || q.ctx.Err() != nil {
			return
		}
		q.Log.Warn("wake-up failed", "body", body, "receives", receives, "error", err)
		delay = q.Visibility
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dead++
	q.Log.Error("wake-up is a dead letter", "body", body)
}

// takeTurn waits until the wake-up may be delivered. It reports false when the
// queue is closed, and when another wake-up of the stream waits already: that one
// will find what this one announces.
func (q *WakeQueue) takeTurn(body string) bool {
	q.mu.Lock()
	double := q.waiting[body]
	q.waiting[body] = true
	q.mu.Unlock()
	if double {
		return false
	}
	err := q.running.Acquire(q.ctx, 1)
	q.mu.Lock()
	delete(q.waiting, body)
	q.mu.Unlock()
	return err == nil
}

// receive invokes the function with one wake-up. It returns an error when the
// wake-up has to be delivered again.
func (q *WakeQueue) receive(id, body string, sent time.Time, receives int) error {
	sum := md5.Sum([]byte(body))
	event, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{
		MessageId:     id,
		ReceiptHandle: uuid.NewString(),
		Body:          body,
		Md5OfBody:     hex.EncodeToString(sum[:]),
		Attributes: map[string]string{
			"ApproximateReceiveCount": strconv.Itoa(receives),
			"SentTimestamp":           strconv.FormatInt(sent.UnixMilli(), 10),
		},
		MessageAttributes: map[string]events.SQSMessageAttribute{},
		EventSource:       "aws:sqs",
		EventSourceARN:    "arn:aws:sqs:" + region + ":" + account + ":datasink-wake",
		AWSRegion:         region,
	}}})
	if err != nil {
		return fmt.Errorf("encoding the wake-up: %w", err)
	}
	// Not with the queue's own context: what runs ends by itself.
	answer, err := q.Function.Invoke(context.WithoutCancel(q.ctx), event)
	if err != nil {
		return err
	}
	var response events.SQSEventResponse
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &response); err != nil {
			return fmt.Errorf("reading the function's answer: %w", err)
		}
	}
	if len(response.BatchItemFailures) > 0 {
		return fmt.Errorf("invoking %s: it gave the wake-up back", q.Function.Name)
	}
	return nil
}
