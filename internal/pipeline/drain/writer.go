package drain

import (
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// putAttempts is the number of successive calls without progress after which a claim
// is released, so that a stream that accepts nothing does not hold a slot that others
// could use.
const putAttempts = 4

// KinesisWriter returns a writer for Config.Kinesis.
func KinesisWriter(service sink.Service, e env.Drainer) *sink.Writer {
	limits := sink.KinesisLimits
	limits.CallBytes = e.PutBytes
	return &sink.Writer{Service: service, Limits: limits, MaxAttempts: putAttempts}
}

// FirehoseWriter returns a writer for Config.Firehose.
func FirehoseWriter(service sink.Service) *sink.Writer {
	return &sink.Writer{Service: service, Limits: sink.FirehoseLimits, MaxAttempts: putAttempts}
}
