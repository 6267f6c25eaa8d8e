// Package remote reads the state of a deployment on AWS: the state of the queues from
// the drainer, log lines of the functions, and metrics.
package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

type invoker interface {
	Invoke(context.Context, *lambda.InvokeInput, ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
}

var _ invoker = (*lambda.Client)(nil)

// ErrFunction is returned if a function ran and failed. Other errors of a call mean
// that the function did not answer.
var ErrFunction = errors.New("the function failed")

// Inspect invokes the drainer of that name and returns the state of every queue.
// Only the drainer can reach Redis. The error is ErrFunction if the drainer runs but
// cannot read the queues.
func Inspect(ctx context.Context, client invoker, function string) (drain.Inspection, error) {
	var answer drain.Inspection
	out, err := client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Payload: []byte(drain.InspectEvent)})
	if err != nil {
		return answer, fmt.Errorf("inspecting the queues by %s: %w", function, err)
	}
	if out.FunctionError != nil {
		var failure struct {
			Message string `json:"errorMessage"`
		}
		_ = json.Unmarshal(out.Payload, &failure) // The message only makes the error clearer.
		return answer, fmt.Errorf("inspecting the queues by %s: %w: %s: %s", function, ErrFunction, *out.FunctionError, failure.Message)
	}
	if err := json.Unmarshal(out.Payload, &answer); err != nil {
		return answer, fmt.Errorf("reading the answer of %s: %w", function, err)
	}
	if answer.Streams == nil {
		return answer, fmt.Errorf("reading the answer of %s: %w", function, errors.New("streams: missing"))
	}
	return answer, nil
}

const (
	// maxBuffer is the longest time for which Firehose can be told to buffer.
	maxBuffer = 15 * time.Minute
	// overhead is the time that a record needs beside Firehose's buffer: the batch
	// of the bridge, the write to S3, and the delay of CloudWatch Logs.
	overhead = 5 * time.Minute
)

// Settle returns how long a record of a stream may take from the tap to the
// archive: the time for which Firehose buffers, and five minutes.
func Settle(s stream.Stream) time.Duration {
	buffer := time.Duration(s.BufferSeconds) * time.Second
	if buffer == 0 {
		buffer = maxBuffer
	}
	return buffer + overhead
}
