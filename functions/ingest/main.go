// Command ingest is the Lambda function that answers the HTTP API; see package
// ingest.
package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/function"
	"github.com/data-sink/data-sink/internal/pipeline/ingest"
	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/pipeline/wake"
)

// The initialization waits this long for the credentials and for Redis. After that
// the first request tries again, so that an unresponsive service does not delay
// each new process.
const (
	credentialsTimeout = 3 * time.Second
	connectTimeout     = 500 * time.Millisecond
)

func main() { function.Main(newHandler) }

// newHandler returns the function's handler. The error lists every missing or
// malformed setting. No service needs to be available: without Redis the function
// writes direct records, and without the clients' secret it answers 503 until it
// can read it.
func newHandler(ctx context.Context, p *function.Process) (*ingest.Handler, error) {
	e, envErr := env.ParseIngest(p.Getenv)
	streams, streamsErr := stream.Load(e.Streams)
	if err := errors.Join(envErr, streamsErr); err != nil {
		return nil, err
	}
	cfg, err := p.AWS(ctx)
	if err != nil {
		return nil, err
	}
	secrets := secretsmanager.NewFromConfig(cfg)
	records, err := queue.Open(queue.Options{
		Deployment: e.Name, URL: e.Redis.URL, Secret: function.Secret(secrets, e.Redis.Secret),
		PushTimeout: e.PushTimeout, WaitReplicas: e.WaitReplicas, WakeInterval: e.Wake.Interval,
		RememberFor: e.IdempotencyWindow,
	})
	if err != nil {
		return nil, err
	}
	clients := basicauth.NewCache(function.Secret(secrets, e.ClientsSecret), e.ClientsMaxAge, e.ClientsMaxStale)
	clients.OnFailure = ingest.LogRefreshFailures(p.Log)
	warm(ctx, p.Log, records, clients, e.BypassQueue)
	window := metric.NewWindow(metric.NewWriter(p.Metrics, e.Name, e.AllStreamMetrics))
	p.OnShutdown(window.Flush)
	return ingest.New(ingest.Config{
		Ingest:      e,
		Streams:     streams,
		Credentials: clients,
		Queue:       records,
		Archive:     archive.New(archive.NewS3(s3.NewFromConfig(cfg), e.ArchiveBucket), e.Name),
		Waker:       wake.New(sqs.NewFromConfig(cfg, wake.DualStack(e.DualStack)), e.Wake.QueueURL),
		Log:         p.Log,
		Observe:     ingest.Metrics{Window: window}.Observe,
	}), nil
}

// warm reads both secrets and connects to Redis at the same time, so that the first
// request does not wait for them. It also checks that the Redis user may push. It
// does not connect if the queue is bypassed.
func warm(ctx context.Context, log *slog.Logger, records *queue.Queue, clients *basicauth.Cache, bypassed bool) {
	var wg sync.WaitGroup
	wg.Go(func() {
		if bypassed {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		err := records.Connect(ctx)
		if err == nil {
			err = records.CheckPush(ctx)
		}
		switch {
		case errors.Is(err, queue.ErrPermission):
			log.ErrorContext(ctx, "redis_permissions_missing", "error", err)
		case err != nil:
			log.WarnContext(ctx, "queue_unreachable_at_init", "error", err)
		}
	})
	wg.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, credentialsTimeout)
		defer cancel()
		if err := clients.Ready(ctx); err != nil {
			log.WarnContext(ctx, "credentials_unusable_at_init", "error", err)
		}
	})
	wg.Wait()
}
