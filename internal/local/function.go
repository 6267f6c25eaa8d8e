package local

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/uuid"
)

// maxEventBytes is the most that Lambda passes to a function, and takes from it,
// in one synchronous invocation.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxEventBytes = 6 << 20

// errTooLarge says that an event or an answer is over maxEventBytes.
var errTooLarge = errors.New("RequestEntityTooLargeException")

const (
	region  = "us-east-1"
	account = "000000000000"
)

// Function is a Lambda function of this process: it gives a handler what the
// service gives it. It is safe for concurrent use.
type Function struct {
	// Name is the function's name, Timeout how long an invocation may take.
	Name    string
	Timeout time.Duration
	// Handler takes an event as JSON and answers with JSON.
	Handler Handler
}

// Invoke runs the handler with a deadline and a request id in its context. A
// panic, which on AWS costs the process, is an error here. The handler must not
// keep event.
func (f *Function) Invoke(ctx context.Context, event []byte) (answer []byte, err error) {
	if len(event) > maxEventBytes {
		return nil, fmt.Errorf("invoking %s: %w: event of %d bytes", f.Name, errTooLarge, len(event))
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
		return nil, fmt.Errorf("invoking %s: %w: answer of %d bytes", f.Name, errTooLarge, len(answer))
	}
	return answer, nil
}

// ARN is the function's name as AWS writes it.
func (f *Function) ARN() string {
	return "arn:aws:lambda:" + region + ":" + account + ":function:" + f.Name
}
