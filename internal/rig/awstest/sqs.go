package awstest

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// The limits of SQS.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
const (
	sqsBodyBytes = 1 << 20
	sqsMaxDelay  = 900
)

// SQS holds what was sent to its queues, in memory.
type SQS struct {
	queues map[string]*sqsQueue
}

type sqsQueue struct {
	mu      sync.Mutex
	sent    int
	waiting []*Sent
	changed chan struct{}
}

// Sent is what was sent to a queue.
type Sent struct {
	ID, Body string
	// Received counts how often it was received, this time included.
	Received int

	visible time.Time
}

func newSQS(paths []string) *SQS {
	s := &SQS{queues: make(map[string]*sqsQueue)}
	for _, path := range paths {
		s.queues[path] = &sqsQueue{changed: make(chan struct{})}
	}
	return s
}

func (s *SQS) readSendMessage(r *http.Request, op *operation) {
	var in struct {
		QueueUrl, MessageBody string
		DelaySeconds          int
	}
	if !readJSON(r, op, &in) {
		return
	}
	op.call.Resource, op.call.Records = in.QueueUrl, 1
	u, err := url.Parse(in.QueueUrl)
	if err != nil || s.queues[u.Path] == nil {
		op.refuse(*badRequest("QueueDoesNotExist", "no queue %s", in.QueueUrl))
		return
	}
	if n := len(in.MessageBody); n < 1 || n > sqsBodyBytes || in.DelaySeconds < 0 || in.DelaySeconds > sqsMaxDelay {
		op.refuse(*badRequest("InvalidParameterValue", "body of %d bytes, delay of %d s", n, in.DelaySeconds))
		return
	}
	op.effect = func(func() bool) (int, func(http.ResponseWriter)) {
		id := s.queues[u.Path].send(in.MessageBody, time.Duration(in.DelaySeconds)*time.Second)
		sum := md5.Sum([]byte(in.MessageBody)) //nolint:gosec // the SDK checks this very sum
		return 1, func(w http.ResponseWriter) {
			writeJSON(w, http.StatusOK, map[string]string{"MessageId": id, "MD5OfMessageBody": hex.EncodeToString(sum[:])})
		}
	}
}

func (q *sqsQueue) send(body string, delay time.Duration) string {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sent++
	sent := &Sent{ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", q.sent), Body: body, visible: time.Now().Add(delay)}
	q.waiting = append(q.waiting, sent)
	q.change()
	return sent.ID
}

// change wakes who waits for a change. The caller holds mu.
func (q *sqsQueue) change() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// Receive waits for what is visible in the queue of that URL path. It comes
// again after visibility unless it is deleted by then. It reports false when ctx
// has ended.
func (s *SQS) Receive(ctx context.Context, path string, visibility time.Duration) (Sent, bool) {
	q := s.queues[path]
	for ctx.Err() == nil {
		sent, wait, changed := q.receive(visibility)
		if sent != nil {
			return *sent, true
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-changed:
		}
		timer.Stop()
	}
	return Sent{}, false
}

// receive returns what is visible, or how long to wait at most.
func (q *sqsQueue) receive(visibility time.Duration) (*Sent, time.Duration, <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now, wait := time.Now(), time.Minute
	for _, sent := range q.waiting {
		left := sent.visible.Sub(now)
		if left <= 0 {
			sent.Received++
			sent.visible = now.Add(visibility)
			copied := *sent
			return &copied, 0, nil
		}
		wait = min(wait, left)
	}
	return nil, wait, q.changed
}

// Delete removes what was received.
func (s *SQS) Delete(path, id string) {
	q := s.queues[path]
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(sent *Sent) bool { return sent.ID == id })
}

// Waiting is how many there are in the queue, visible or not.
func (s *SQS) Waiting(path string) int {
	q := s.queues[path]
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}
