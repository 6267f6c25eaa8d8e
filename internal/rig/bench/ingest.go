package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/ingest"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/wake"
	"github.com/redis/go-redis/v9"
)

// noQueue accepts every record and keeps none. noWaker sends no wake-up. The handlers
// have no archive, because they must not need one.
type (
	noQueue struct{}
	noWaker struct{}
)

func (noQueue) Push(context.Context, string, []byte, int64) (queue.Pushed, error) {
	return queue.Pushed{Depth: 1}, nil
}

func (noQueue) PushPart(_ context.Context, _ string, p queue.Part, _ int64) (queue.PartPushed, error) {
	return queue.PartPushed{Pushed: queue.Pushed{Depth: 1}, Done: p.First + len(p.Envelopes)}, nil
}
func (noQueue) Ping(context.Context) error { return nil }

func (noWaker) Wake(context.Context, string, time.Duration) error { return nil }

// ingestConfig returns the configuration of a handler, without a queue.
func ingestConfig() ingest.Config {
	return ingest.Config{
		Ingest: env.Defaults(env.ParseIngest), Streams: streams(1), Waker: noWaker{}, Log: slog.New(slog.DiscardHandler),
		Credentials: basicauth.NewCache(func(context.Context) ([]byte, error) { return []byte(clientsSecret), nil }, time.Minute, time.Hour),
	}
}

func (l *lab) openQueue(wakeInterval time.Duration) (*queue.Queue, error) {
	return queue.Open(queue.Options{Deployment: deployment, URL: l.redis.URL, Password: redisPassword, WakeInterval: wakeInterval, PushTimeout: 5 * time.Second})
}

// floorClient returns a client with default options for the floors.
func (l *lab) floorClient() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: l.redis.Addr, Password: redisPassword})
}

// invocation returns the context of one invocation, with Lambda's deadline.
func invocation(seconds int) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Duration(seconds)*time.Second)
}

// accepting returns a function that serves an event with a handler of ingest and checks
// that it accepts the request.
func (l *lab) accepting(c ingest.Config) func(event []byte) error {
	h := ingest.New(c)
	return func(event []byte) error {
		out, err := h.Invoke(l.ctx, event)
		if err == nil && !bytes.HasPrefix(out, []byte(`{"statusCode":202`)) {
			err = errUnexpected
		}
		return err
	}
}

// queueing is accepting with a queue in Redis.
func (l *lab) queueing(waker waker) (func(event []byte) error, error) {
	q, err := l.openQueue(time.Hour)
	if err != nil {
		return nil, err
	}
	c := ingestConfig()
	c.Queue, c.Waker = q, waker
	return l.accepting(c), nil
}

// waker is what ingest uses of package wake.
type waker interface {
	Wake(ctx context.Context, stream string, delay time.Duration) error
}

// floorDigest is the digest of the credentials that the floor accepts.
var floorDigest = sha256.Sum256([]byte("Basic ZGF0YXNpbms6aHVudGVyMg=="))

// invokeFloor does the least that can answer a request: decode the event, check a
// digest, push the body.
func invokeFloor(event []byte, push func(stream string, body []byte) error) error {
	r, err := decodeWithJSONParser(event)
	if err != nil {
		return err
	}
	if digest := sha256.Sum256(r.authorization); subtle.ConstantTimeCompare(digest[:], floorDigest[:]) != 1 {
		return errUnexpected
	}
	return push(string(r.stream), r.body)
}

// ingestInvoke measures a request. The floor pushes its body with one RPUSH.
func ingestInvoke(l *lab, rounds int) ([]figure, error) {
	event, client := postEvent(jsonBody(1<<10), true), l.floorClient()
	accept, err := l.queueing(noWaker{})
	if err != nil {
		return nil, err
	}
	push := func(stream string, body []byte) error { return client.RPush(l.ctx, queueKey(stream), body).Err() }
	return l.compareLatency(rounds, "ingest.invoke", 500, nil, [2]func() error{
		func() error { return accept(event) },
		func() error { return invokeFloor(event, push) },
	})
}

// ingestInvokeWake measures the request whose push makes a wake-up due, which is one
// a second and stream.
func ingestInvokeWake(l *lab, rounds int) ([]figure, error) {
	event, client, wakeUp := postEvent(jsonBody(1<<10), true), l.floorClient(), `{"stream":"orders"}`
	queueURL, wakeUps := l.aws.URL+"/wake", sqs.NewFromConfig(l.config())
	accept, err := l.queueing(wake.New(wakeUps, queueURL))
	if err != nil {
		return nil, err
	}
	// Deleting the key makes the wake-up of the next push due.
	due := func() error { return l.raw.Del(l.ctx, deployment+":{"+orders+"}:wake").Err() }
	push := func(stream string, body []byte) error {
		if err := client.RPush(l.ctx, queueKey(stream), body).Err(); err != nil {
			return err
		}
		_, err := wakeUps.SendMessage(l.ctx, &sqs.SendMessageInput{QueueUrl: &queueURL, MessageBody: &wakeUp, DelaySeconds: 1})
		return err
	}
	return l.compareLatency(rounds, "ingest.invoke.wake", 500, due, [2]func() error{
		func() error { return accept(event) },
		func() error { return invokeFloor(event, push) },
	})
}

// ingestCPU measures a request without Redis. The floor is the fastest decoder
// alone.
func ingestCPU(l *lab, rounds int) ([]figure, error) {
	return compare(
		rounds,
		l.compareDecoding("ingest.cpu", 5000, 1, postEvent(randomBody(1<<10), false)),
		l.compareDecoding("ingest.cpu.text", 5000, 1, postEvent(jsonBody(1<<10), true)),
		l.compareDecoding("ingest.cpu.1mb", 50, 1, postEvent(randomBody(1_000_000), false)),
		l.compareDecoding("ingest.cpu.1mb.text", 50, 1, postEvent(jsonBody(1_000_000), true)),
	)
}

// compareDecoding returns sides that serve an event with a number of records n times
// without Redis, and that decode it.
func (l *lab) compareDecoding(name string, n, records int, event []byte) [2]side {
	c := ingestConfig()
	c.Queue = noQueue{}
	accept := l.accepting(c)
	return [2]side{
		costOf(name, l.few(n), records, func() error { return accept(event) }),
		costOf(name, l.few(n), records, func() error {
			_, err := decodeWithJSONParser(event)
			return err
		}),
	}
}
