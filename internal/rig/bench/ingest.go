package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"io"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/ingest"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/pipeline/wake"
	"github.com/redis/go-redis/v9"
)

// noQueue accepts every record and keeps none. noArchive and noWaker serve handlers
// that must not need them.
type (
	noQueue   struct{}
	noArchive struct{}
	noWaker   struct{}
)

func (noQueue) Push(context.Context, string, []byte, int64) (queue.Pushed, error) {
	return queue.Pushed{Depth: 1}, nil
}

func (noQueue) PushPart(_ context.Context, _ string, p queue.Part, _ int64) (queue.PartPushed, error) {
	return queue.PartPushed{Pushed: queue.Pushed{Depth: 1}, Done: p.First + len(p.Envelopes)}, nil
}
func (noQueue) Ping(context.Context) error { return nil }

func (noArchive) Put(context.Context, stream.Stream, envelope.Record, archive.Reason) (string, error) {
	return "", io.ErrClosedPipe
}

func (noArchive) PutDeadLetters(context.Context, string, string, string, []archive.DeadLetter) (string, error) {
	return "", io.ErrClosedPipe
}
func (noArchive) Check(context.Context) error { return io.ErrClosedPipe }

func (noWaker) Wake(context.Context, string, time.Duration) error { return nil }

// ingestConfig returns the configuration of a handler, without a queue.
func ingestConfig() ingest.Config {
	return ingest.Config{
		Ingest: env.Defaults(env.ParseIngest), Streams: streams(1), Archive: noArchive{}, Waker: noWaker{}, Log: slog.New(slog.DiscardHandler),
		Credentials: basicauth.NewCache(func(context.Context) ([]byte, error) { return []byte(clientsSecret), nil }, time.Minute, time.Hour),
	}
}

func (l *lab) openQueue(url string, wakeInterval time.Duration) (*queue.Queue, error) {
	return queue.Open(queue.Options{Deployment: deployment, URL: url, Password: redisPassword, WakeInterval: wakeInterval, PushTimeout: 5 * time.Second})
}

// floorClient returns a client with default options for the floors.
func (l *lab) floorClient(network, addr string) *redis.Client {
	return redis.NewClient(&redis.Options{Network: network, Addr: addr, Password: redisPassword})
}

// invocation returns the context of one invocation, with Lambda's deadline.
func invocation(seconds int) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Duration(seconds)*time.Second)
}

// invokeOurs serves one request and checks the answer.
func invokeOurs(ctx context.Context, h *ingest.Handler, event []byte) error {
	out, err := h.Invoke(ctx, event)
	if err == nil && !bytes.HasPrefix(out, []byte(`{"statusCode":202`)) {
		err = errUnexpected
	}
	return err
}

// floorDigest is the digest of the credentials that the floor accepts.
var floorDigest = sha256.Sum256([]byte("Basic ZGF0YXNpbms6aHVudGVyMg=="))

// invokeFloor does the least that can answer a request: decode the event, check a
// digest, push the body.
func invokeFloor(event []byte, push func(stream string, body []byte) error) ([]byte, error) {
	r, err := decodeWithJSONParser(event)
	if err != nil {
		return nil, err
	}
	if digest := sha256.Sum256(r.authorization); subtle.ConstantTimeCompare(digest[:], floorDigest[:]) != 1 {
		return nil, errUnexpected
	}
	if err := push(string(r.stream), r.body); err != nil {
		return nil, err
	}
	return []byte(`{"statusCode":202,"body":"{}"}`), nil
}

func ingestInvoke(l *lab, rounds int) ([]figure, error) {
	return compareInvoke(l, rounds, "ingest.invoke", l.redis.URL, "tcp", l.redis.Addr)
}

func ingestInvokeUnix(l *lab, rounds int) ([]figure, error) {
	return compareInvoke(l, rounds, "ingest.invoke.unix", "unix://"+l.redis.Socket, "unix", l.redis.Socket)
}

func compareInvoke(l *lab, rounds int, name, url, network, addr string) ([]figure, error) {
	event := postEvent(jsonBody(1<<10), true)
	q, err := l.openQueue(url, time.Hour)
	if err != nil {
		return nil, err
	}
	config := ingestConfig()
	config.Queue = q
	h := ingest.New(config)
	ctx, cancel := invocation(3600)
	defer cancel()
	client := l.floorClient(network, addr)
	push := func(stream string, body []byte) error {
		return client.RPush(context.Background(), queueKey(stream), body).Err()
	}
	return l.compareLatency(rounds, name, 500, nil, func() error { return invokeOurs(ctx, h, event) }, func() error {
		_, err := invokeFloor(event, push)
		return err
	})
}

// ingestInvokeWake measures the request whose push makes a wake-up due, which is one
// a second and stream.
func ingestInvokeWake(l *lab, rounds int) ([]figure, error) {
	event := postEvent(jsonBody(1<<10), true)
	q, err := l.openQueue(l.redis.URL, time.Hour)
	if err != nil {
		return nil, err
	}
	queueURL, client := l.aws.URL+"/wake", sqs.NewFromConfig(l.config())
	config := ingestConfig()
	config.Queue, config.Waker = q, wake.New(client, queueURL)
	h := ingest.New(config)
	ctx, cancel := invocation(3600)
	defer cancel()
	// Deleting the key makes the wake-up of the next push due.
	due := func() error { return l.raw.Del(context.Background(), deployment+":{"+orders+"}:wake").Err() }

	plain, wakeUp := l.floorClient("tcp", l.redis.Addr), `{"stream":"orders"}`
	push := func(stream string, body []byte) error {
		if err := plain.RPush(context.Background(), queueKey(stream), body).Err(); err != nil {
			return err
		}
		_, err := client.SendMessage(context.Background(), &sqs.SendMessageInput{QueueUrl: &queueURL, MessageBody: &wakeUp, DelaySeconds: 1})
		return err
	}
	return l.compareLatency(rounds, "ingest.invoke.wake", 100, due, func() error { return invokeOurs(ctx, h, event) }, func() error {
		_, err := invokeFloor(event, push)
		return err
	})
}

// ingestCPU measures a request without Redis. The floor is the fastest decoder
// alone.
func ingestCPU(l *lab, rounds int) ([]figure, error) {
	config := ingestConfig()
	config.Queue = noQueue{}
	h := ingest.New(config)
	ctx, cancel := invocation(3600)
	defer cancel()
	var all []figure
	for _, c := range []struct {
		name  string
		n     int
		event []byte
	}{
		{"ingest.cpu", 5000, postEvent(randomBody(1<<10), false)},
		{"ingest.cpu.text", 5000, postEvent(jsonBody(1<<10), true)},
		{"ingest.cpu.1mb", 50, postEvent(randomBody(1_000_000), false)},
		{"ingest.cpu.1mb.text", 50, postEvent(jsonBody(1_000_000), true)},
	} {
		counted := func(call func() error) side {
			return func() ([]measure, error) {
				ns, allocs, err := cost(max(l.few(c.n), 2), call)
				return []measure{{c.name, "ns", ns}, {c.name + ".allocs", "allocs", allocs}}, err
			}
		}
		figures, err := compare(rounds,
			counted(func() error { return invokeOurs(ctx, h, c.event) }),
			counted(func() error {
				_, err := decodeWithJSONParser(c.event)
				return err
			}))
		if err != nil {
			return nil, err
		}
		all = append(all, figures...)
	}
	return all, nil
}
