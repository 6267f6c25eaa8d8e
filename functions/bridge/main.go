// Command bridge is the Lambda function that delivers records from Kinesis to
// Firehose; see package bridge.
package main

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/bridge"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/function"
	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// callTimeout limits a call to Firehose.
const callTimeout = 10 * time.Second

func main() { function.Main(newHandler) }

// newHandler returns the function's handler. The error lists every missing or
// malformed setting.
func newHandler(ctx context.Context, p *function.Process) (*bridge.Handler, error) {
	settings, envErr := env.ParseBridge(p.Getenv)
	streams, streamsErr := stream.Load(settings.Streams)
	if err := errors.Join(envErr, streamsErr); err != nil {
		return nil, err
	}
	cfg, err := p.AWS(ctx)
	if err != nil {
		return nil, err
	}
	client := firehose.NewFromConfig(cfg, func(o *firehose.Options) {
		o.Retryer = aws.NopRetryer{} // the Writer retries
		o.HTTPClient = awshttp.NewBuildableClient().WithTimeout(callTimeout)
	})
	return bridge.New(bridge.Config{
		Bridge:   settings,
		Streams:  streams,
		Firehose: bridge.FirehoseWriter(sink.NewFirehose(client)),
		Archive:  archive.New(archive.NewS3(s3.NewFromConfig(cfg), settings.ArchiveBucket), settings.Name),
		Log:      p.Log,
		Observe:  bridge.Metrics{Writer: metric.NewWriter(p.Metrics, settings.Name, settings.AllStreamMetrics)}.Observe,
	}), nil
}
