package cloud

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// The limits of SQS.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
const (
	sqsBodyBytes = 1 << 20
	sqsMaxDelay  = 15 * time.Minute
)

// Queue is an SQS queue in memory. It is safe for concurrent use.
type Queue struct {
	name   string
	faults *Faults

	mu      sync.Mutex
	sent    int
	waiting []*queued
	changed chan struct{}
}

// Message is a message as a consumer receives it.
type Message struct {
	ID, Body string
	// SentAt is when the message was sent.
	SentAt time.Time
	// Received is the number of times that the message was received, including
	// this time.
	Received int
}

type queued struct {
	Message
	visible time.Time
}

// NewQueue returns an empty queue.
func NewQueue(name string, faults *Faults) *Queue {
	return &Queue{name: name, faults: faults, changed: make(chan struct{})}
}

// Send is SendMessage. The message becomes visible after delay.
func (q *Queue) Send(ctx context.Context, body string, delay time.Duration) (id string, err error) {
	err = q.faults.call(ctx, Call{Service: ServiceSQS, Operation: "SendMessage", Resource: q.name, Records: 1}, func(func() bool) (int, error) {
		if n := len(body); n < 1 || n > sqsBodyBytes || delay < 0 || delay > sqsMaxDelay {
			return 0, newError("InvalidParameterValue", "body of %d bytes, delay of %v", n, delay)
		}
		id = q.send(body, delay)
		return 1, nil
	})
	return id, err
}

func (q *Queue) send(body string, delay time.Duration) string {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sent++
	m := Message{ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", q.sent), Body: body, SentAt: time.Now()}
	q.waiting = append(q.waiting, &queued{Message: m, visible: m.SentAt.Add(delay)})
	q.change()
	return m.ID
}

// change wakes the receivers. The caller holds mu.
func (q *Queue) change() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// Receive waits for a visible message. The message becomes visible again after
// visibility unless it is deleted before. Receive reports false when ctx has
// ended.
func (q *Queue) Receive(ctx context.Context, visibility time.Duration) (Message, bool) {
	for ctx.Err() == nil {
		m, wait, changed := q.receive(visibility)
		if m != nil {
			return *m, true
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-changed:
		}
		timer.Stop()
	}
	return Message{}, false
}

// receive returns a visible message, or how long to wait at most.
func (q *Queue) receive(visibility time.Duration) (*Message, time.Duration, <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now, wait := time.Now(), time.Minute
	for _, one := range q.waiting {
		left := one.visible.Sub(now)
		if left <= 0 {
			one.Received++
			one.visible = now.Add(visibility)
			m := one.Message
			return &m, 0, nil
		}
		wait = min(wait, left)
	}
	return nil, wait, q.changed
}

// ChangeVisibility makes a received message visible after visibility.
func (q *Queue) ChangeVisibility(id string, visibility time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, one := range q.waiting {
		if one.ID == id {
			one.visible = time.Now().Add(visibility)
			q.change()
		}
	}
}

// Delete removes a message.
func (q *Queue) Delete(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(one *queued) bool { return one.ID == id })
}

// Len is the number of messages in the queue, visible or not.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// ARN is the queue's ARN.
func (q *Queue) ARN() string { return "arn:aws:sqs:" + Region + ":" + Account + ":" + q.name }
