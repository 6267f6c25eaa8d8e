// Bridge is the Lambda function that carries records from Kinesis to Firehose.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/bridge"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/lambdalog"
	"github.com/data-sink/data-sink/internal/pipeline/lambdasize"
	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// callTimeout ends a call of Firehose that does not answer.
const callTimeout = 10 * time.Second

func main() {
	log := lambdalog.New()
	h, err := newHandler(context.Background(), os.Getenv, log, os.Stdout)
	if err != nil {
		log.Error("init", "error", err)
		os.Exit(1)
	}
	lambdasize.Fit(os.Getenv) // after init, for which Lambda gives more
	lambda.Start(h)
}

// newHandler wires the function, whose metrics go to metrics. Its error lists
// every setting that is missing or malformed.
func newHandler(ctx context.Context, getenv func(string) string, log *slog.Logger, metrics io.Writer) (*bridge.Handler, error) {
	settings, envErr := env.ParseBridge(getenv)
	streams, streamsErr := stream.Load(settings.Streams)
	if err := errors.Join(envErr, streamsErr); err != nil {
		return nil, err
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("loading AWS configuration: %w", err)
	}
	client := firehose.NewFromConfig(cfg, func(o *firehose.Options) {
		o.Retryer = aws.NopRetryer{} // the writer retries
		o.HTTPClient = awshttp.NewBuildableClient().WithTimeout(callTimeout)
	})
	return bridge.New(bridge.Config{
		Deployment: settings.Name,
		Streams:    streams,
		Firehose:   &sink.Writer{Service: sink.NewFirehose(client), Limits: sink.FirehoseLimits},
		Archive:    archive.New(archive.NewS3(s3.NewFromConfig(cfg), settings.ArchiveBucket), settings.Name),
		Log:        log,
		Observe:    bridge.Metrics{Writer: metric.NewWriter(metrics, settings.Name, settings.AllStreamMetrics)}.Observe,
	}), nil
}
