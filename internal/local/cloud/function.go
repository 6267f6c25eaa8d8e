package cloud

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/uuid"
)

// maxEventBytes is the largest event and the largest response of a synchronous
// invocation.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxEventBytes = 6 << 20

// errEntityTooLarge means that an event or a response is over maxEventBytes.
var errEntityTooLarge = errors.New("RequestEntityTooLargeException")

// Handler is the handler of a function. Event and response are JSON.
type Handler func(ctx context.Context, event []byte) ([]byte, error)

// Function is a Lambda function in this process. It gives its handler what the
// service gives it. It is safe for concurrent use.
type Function struct {
	// Name is the function's name, Timeout the limit on an invocation.
	Name    string
	Timeout time.Duration
	// Handler must not keep the event.
	Handler Handler
}

// Invoke calls the handler with a deadline and a request id in its context. A
// panic, which would end the process on AWS, is an error here.
func (f *Function) Invoke(ctx context.Context, event []byte) (answer []byte, err error) {
	if len(event) > maxEventBytes {
		return nil, fmt.Errorf("invoking %s: %w: event of %d bytes", f.Name, errEntityTooLarge, len(event))
	}
	ctx, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{
		AwsRequestID:       uuid.NewString(),
		InvokedFunctionArn: f.ARN(),
	})
	defer func() {
		if p := recover(); p != nil {
			answer, err = nil, fmt.Errorf("invoking %s: panic: %v\n%s", f.Name, p, debug.Stack())
		}
	}()
	answer, err = f.Handler(ctx, event)
	if err != nil {
		return nil, fmt.Errorf("invoking %s: %w", f.Name, err)
	}
	if len(answer) > maxEventBytes {
		return nil, fmt.Errorf("invoking %s: %w: response of %d bytes", f.Name, errEntityTooLarge, len(answer))
	}
	return answer, nil
}

// ARN is the function's ARN.
func (f *Function) ARN() string {
	return "arn:aws:lambda:" + Region + ":" + Account + ":function:" + f.Name
}
