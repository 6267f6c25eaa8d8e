// Command ingest is the Lambda function that answers the HTTP API; see package
// ingest.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/ingest"
	"github.com/data-sink/data-sink/internal/pipeline/lambdalog"
	"github.com/data-sink/data-sink/internal/pipeline/lambdasize"
	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/secret"
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

func main() {
	log := lambdalog.New()
	handler, err := newHandler(context.Background(), os.Getenv, log, os.Stdout)
	if err != nil {
		log.Error("init", "error", err)
		os.Exit(1)
	}
	lambdasize.Fit(os.Getenv) // after the initialization, which has more CPU
	// Lambda sends SIGTERM and waits half a second only if the option is set.
	lambda.StartWithOptions(handler, lambda.WithEnableSIGTERM(func() {
		handler.metrics.Flush()
		os.Exit(0)
	}))
}

// function is the handler and the metrics that it must write before it exits.
type function struct {
	*ingest.Handler
	metrics *metric.Window
}

// newHandler returns the function, which writes its metrics to metrics. The error
// lists every missing or malformed setting. No service needs to be available:
// without Redis the function writes direct records, and without the clients'
// secret it answers 503 until it can read it.
func newHandler(ctx context.Context, getenv func(string) string, log *slog.Logger, metrics io.Writer) (*function, error) {
	e, envErr := env.ParseIngest(getenv)
	streams, streamsErr := stream.Load(e.Streams)
	if err := errors.Join(envErr, streamsErr); err != nil {
		return nil, err
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	secrets := secret.New(secretsmanager.NewFromConfig(cfg))
	records, err := newRecordQueue(e, secrets)
	if err != nil {
		return nil, err
	}
	clients := basicauth.NewCache(func(ctx context.Context) ([]byte, error) {
		return secrets.Get(ctx, e.ClientsSecret)
	}, e.ClientsMaxAge, e.ClientsMaxStale)
	clients.OnFailure = ingest.LogRefreshFailures(log)
	warm(ctx, log, records, clients, e.BypassQueue)
	window := metric.NewWindow(metric.NewWriter(metrics, e.Name, e.AllStreamMetrics))
	return &function{metrics: window, Handler: ingest.New(ingest.Config{
		Streams:         streams,
		Credentials:     clients,
		Queue:           records,
		Archive:         archive.New(archive.NewS3(s3.NewFromConfig(cfg), e.ArchiveBucket), e.Name),
		Waker:           wake.New(sqs.NewFromConfig(cfg, wake.DualStack(e.DualStack)), e.Wake.QueueURL),
		MaxBodyBytes:    e.MaxBodyBytes,
		MaxDecodedBytes: e.MaxDecodedBytes,
		PushTimeout:     e.PushTimeout,
		BypassQueue:     e.BypassQueue,
		WakeInterval:    e.Wake.Interval,
		Logger:          log,
		Observe:         ingest.Metrics{Window: window}.Observe,
	})}, nil
}

// warm reads both secrets and connects to Redis at the same time, so that the first
// request does not wait for them. It does not connect if the queue is bypassed.
func warm(ctx context.Context, log *slog.Logger, records *recordQueue, clients *basicauth.Cache, bypassed bool) {
	var wg sync.WaitGroup
	wg.Go(func() {
		if bypassed {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		if err := records.Connect(ctx); err != nil {
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
