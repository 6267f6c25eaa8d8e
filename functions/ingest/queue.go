package main

import (
	"context"
	"sync"

	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
)

// secretReader is implemented by *secret.Reader.
type secretReader interface {
	Get(ctx context.Context, id string) ([]byte, error)
}

// recordQueue is a queue that is opened when its credentials can be read. Until
// then each push fails, and its record becomes a direct record.
type recordQueue struct {
	options queue.Options
	secret  string
	secrets secretReader

	mu   sync.Mutex
	open *queue.Queue
}

// newRecordQueue returns the queue of the function's settings.
func newRecordQueue(e env.Ingest, secrets secretReader) (*recordQueue, error) {
	q := &recordQueue{secret: e.Redis.Secret, secrets: secrets, options: queue.Options{
		Deployment:   e.Name,
		URL:          e.Redis.URL,
		PushTimeout:  e.PushTimeout,
		WaitReplicas: e.WaitReplicas,
		WakeInterval: e.Wake.Interval,
	}}
	// Opening the queue here reports a malformed URL before the first push.
	open, err := queue.Open(q.options)
	if err != nil {
		return nil, err
	}
	if q.secret != "" {
		return q, open.Close()
	}
	q.open = open
	return q, nil
}

func (q *recordQueue) Push(ctx context.Context, stream string, envelope []byte, maxBacklogBytes int64) (queue.Pushed, error) {
	open, err := q.opened(ctx)
	if err != nil {
		return queue.Pushed{}, err
	}
	return open.Push(ctx, stream, envelope, maxBacklogBytes)
}

// Connect connects to Redis ahead of the first push.
func (q *recordQueue) Connect(ctx context.Context) error {
	open, err := q.opened(ctx)
	if err != nil {
		return err
	}
	return open.Connect(ctx)
}

func (q *recordQueue) Ping(ctx context.Context) error {
	open, err := q.opened(ctx)
	if err != nil {
		return err
	}
	return open.Ping(ctx)
}

// opened returns the queue. It reads the credentials first if necessary. Lambda
// passes a function one request at a time, so no other request waits for it.
func (q *recordQueue) opened(ctx context.Context) (*queue.Queue, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open != nil {
		return q.open, nil
	}
	value, err := q.secrets.Get(ctx, q.secret)
	if err != nil {
		return nil, err
	}
	o := q.options
	if o.Username, o.Password, err = queue.ParseCredentials(string(value)); err != nil {
		return nil, err
	}
	q.open, err = queue.Open(o)
	return q.open, err
}
