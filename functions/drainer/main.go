// Command drainer is the Lambda function that moves records from the queues to
// Kinesis; see package drain.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/lambdalog"
	"github.com/data-sink/data-sink/internal/pipeline/lambdasize"
	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/secret"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/pipeline/wake"
)

const (
	// putAttempts is how often a claim is tried without progress before it is
	// released: a stream that takes nothing must not keep what others could use.
	putAttempts = 4
	// callTimeout bounds one call of an AWS service.
	callTimeout = 10 * time.Second
	// idleConnections keeps a connection for each claim in flight.
	idleConnections = 32
)

func main() {
	log := lambdalog.New()
	handler, err := newHandler(context.Background(), os.Getenv, log, os.Stdout)
	if err != nil {
		log.Error("init", "error", err)
		os.Exit(1)
	}
	lambdasize.Fit(os.Getenv) // after init, for which Lambda gives more
	lambda.Start(handler)
}

// newHandler wires the function, whose metrics go to metrics. Its error lists
// every setting that is missing or malformed.
func newHandler(ctx context.Context, getenv func(string) string, log *slog.Logger, metrics io.Writer) (*drain.Handler, error) {
	e, err := env.ParseDrainer(getenv)
	if err != nil {
		return nil, err
	}
	streams, err := stream.Load(e.Streams)
	if err != nil {
		return nil, err
	}
	client := awshttp.NewBuildableClient().WithTimeout(callTimeout).WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = idleConnections
	})
	cfg, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(client))
	if err != nil {
		return nil, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	q, err := openQueue(ctx, e, secret.New(secretsmanager.NewFromConfig(cfg)))
	if err != nil {
		return nil, err
	}
	// The writer retries by itself: it alone knows which entries.
	kinesisClient := kinesis.NewFromConfig(cfg, sink.DualStack(e.DualStack), func(o *kinesis.Options) { o.Retryer = aws.NopRetryer{} })
	limits := sink.KinesisLimits
	limits.CallBytes = e.PutBytes
	emit := drain.Metrics{Writer: metric.NewWriter(metrics, e.Name, e.AllStreamMetrics)}
	return drain.New(drain.Options{
		Deployment:      e.Name,
		Streams:         streams,
		Queue:           q,
		Sink:            &sink.Writer{Service: sink.NewKinesis(kinesisClient), Limits: limits, MaxAttempts: putAttempts},
		Archive:         archive.New(archive.NewS3(s3.NewFromConfig(cfg), e.ArchiveBucket), e.Name),
		Waker:           wake.New(sqs.NewFromConfig(cfg, wake.DualStack(e.DualStack)), e.Wake.QueueURL),
		Lease:           e.Lease,
		ClaimRecords:    e.ClaimRecords,
		ClaimBytes:      e.ClaimBytes,
		ClaimsInFlight:  e.ClaimsInFlight,
		ScaleOutRecords: e.ScaleOutRecords,
		MaxDrainers:     e.MaxDrainers,
		WakeInterval:    e.Wake.Interval,
		Log:             log,
		Observe:         emit.Observe,
		ObserveSweep:    emit.ObserveSweep,
	}), nil
}

func openQueue(ctx context.Context, e env.Drainer, secrets *secret.Reader) (*queue.Queue, error) {
	o := queue.Options{Deployment: e.Name, URL: e.Redis.URL, WakeInterval: e.Wake.Interval}
	if e.Redis.Secret != "" {
		value, err := secrets.Get(ctx, e.Redis.Secret)
		if err != nil {
			return nil, fmt.Errorf("reading the Redis credentials: %w", err)
		}
		if o.Username, o.Password, err = queue.ParseCredentials(string(value)); err != nil {
			return nil, err
		}
	}
	return queue.Open(o)
}
