// Command drainer is the Lambda function that moves records from the queues to
// Kinesis or Firehose; see package drain.
package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/function"
	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/pipeline/wake"
)

const (
	// callTimeout limits one call of an AWS service.
	callTimeout = 10 * time.Second
	// idleConnections is the number of idle connections: one for each claim in flight.
	idleConnections = 32
)

func main() { function.Main(newHandler) }

// newHandler returns the function's handler. The error lists every missing or
// malformed setting.
func newHandler(ctx context.Context, p *function.Process) (*drain.Handler, error) {
	e, envErr := env.ParseDrainer(p.Getenv)
	streams, streamsErr := stream.Load(e.Streams)
	if err := errors.Join(envErr, streamsErr); err != nil {
		return nil, err
	}
	client := awshttp.NewBuildableClient().WithTimeout(callTimeout).WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = idleConnections
	})
	cfg, err := p.AWS(ctx, config.WithHTTPClient(client))
	if err != nil {
		return nil, err
	}
	q, err := queue.Open(queue.Options{
		Deployment: e.Name, URL: e.Redis.URL, Secret: function.Secret(secretsmanager.NewFromConfig(cfg), e.Redis.Secret), WakeInterval: e.Wake.Interval,
	})
	if err != nil {
		return nil, err
	}
	// The Writer retries, because it knows which entries failed.
	kinesisClient := kinesis.NewFromConfig(cfg, sink.DualStack(e.DualStack), func(o *kinesis.Options) { o.Retryer = aws.NopRetryer{} })
	firehoseClient := firehose.NewFromConfig(cfg, sink.DualStackFirehose(e.DualStack), func(o *firehose.Options) { o.Retryer = aws.NopRetryer{} })
	emit := drain.Metrics{Writer: metric.NewWriter(p.Metrics, e.Name, e.AllStreamMetrics)}
	return drain.New(drain.Config{
		Drainer:      e,
		Streams:      streams,
		Queue:        q,
		Kinesis:      drain.KinesisWriter(sink.NewKinesis(kinesisClient), e),
		Firehose:     drain.FirehoseWriter(sink.NewFirehose(firehoseClient)),
		Archive:      archive.New(archive.NewS3(s3.NewFromConfig(cfg), e.ArchiveBucket), e.Name),
		Waker:        wake.New(sqs.NewFromConfig(cfg, wake.DualStack(e.DualStack)), e.Wake.QueueURL),
		Log:          p.Log,
		Observe:      emit.Observe,
		ObserveSweep: emit.ObserveSweep,
	}), nil
}
