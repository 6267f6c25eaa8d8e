// Package remote asks a deployment on AWS what package verify compares: the drainer
// for the state of the queues, and the bridge's log for its packed records.
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

// Inspect asks the drainer of that name for the state of every queue, which it
// alone can reach.
func Inspect(ctx context.Context, client invoker, function string) (drain.Inspection, error) {
	var answer drain.Inspection
	out, err := client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Payload: []byte(drain.InspectEvent)})
	if err != nil {
		return answer, fmt.Errorf("asking %s for the queues: %w", function, err)
	}
	if out.FunctionError != nil {
		var failure struct {
			Message string `json:"errorMessage"`
		}
		_ = json.Unmarshal(out.Payload, &failure) // It only makes the error clearer.
		return answer, fmt.Errorf("asking %s for the queues: %s: %s", function, *out.FunctionError, failure.Message)
	}
	if err := json.Unmarshal(out.Payload, &answer); err != nil {
		return answer, fmt.Errorf("reading the answer of %s: %w", function, err)
	}
	if answer.Streams == nil {
		return answer, fmt.Errorf("reading the answer of %s: %w", function, errors.New("no streams in it"))
	}
	return answer, nil
}

// Settle is how long a record of a stream may be under way from the tap to the
// archive: what Firehose buffers, and five minutes for all the rest.
func Settle(s stream.Stream) time.Duration {
	buffer := time.Duration(s.BufferSeconds) * time.Second
	if buffer == 0 {
		buffer = 15 * time.Minute // the longest that it can be
	}
	return buffer + 5*time.Minute
}
