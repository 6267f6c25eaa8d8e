// Command hasty is a drainer with the defect that package chaos must find: it
// acknowledges a claim before its records are put. Everything else is the real
// drainer. A test shows that a run reports the loss.
package main

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/function"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/pipeline/wake"
)

// hastyQueue acknowledges every claim as soon as it is made.
type hastyQueue struct{ *queue.Queue }

func (q hastyQueue) Claim(ctx context.Context, stream, id string, lease time.Duration, maxRecords, maxBytes int) (queue.Claim, error) {
	c, err := q.Queue.Claim(ctx, stream, id, lease, maxRecords, maxBytes)
	if err != nil || len(c.Envelopes) == 0 {
		return c, err
	}
	_, err = q.Queue.Ack(ctx, c, nil)
	return c, err
}

// Ack does nothing, because Claim has acknowledged the claim already.
func (q hastyQueue) Ack(context.Context, queue.Claim, []int) (bool, error) { return true, nil }

func main() { function.Main(newHandler) }

func newHandler(ctx context.Context, p *function.Process) (*drain.Handler, error) {
	e, envErr := env.ParseDrainer(p.Getenv)
	streams, streamsErr := stream.Load(e.Streams)
	cfg, awsErr := p.AWS(ctx)
	q, queueErr := queue.Open(queue.Options{Deployment: e.Name, URL: e.Redis.URL, WakeInterval: e.Wake.Interval})
	if err := errors.Join(envErr, streamsErr, awsErr, queueErr); err != nil {
		return nil, err
	}
	return drain.New(drain.Config{
		Drainer: e, Streams: streams, Queue: hastyQueue{q},
		Kinesis:  drain.KinesisWriter(sink.NewKinesis(kinesis.NewFromConfig(cfg)), e),
		Firehose: drain.FirehoseWriter(sink.NewFirehose(firehose.NewFromConfig(cfg))),
		Archive:  archive.New(archive.NewS3(s3.NewFromConfig(cfg), e.ArchiveBucket), e.Name),
		Waker:    wake.New(sqs.NewFromConfig(cfg), e.Wake.QueueURL),
	}), nil
}
