// Package function runs the handlers of the Lambda functions: it provides the
// logger, the AWS configuration and secrets, fits Go's runtime to the function's
// CPU and memory, and calls what must run before the process ends.
package function

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/data-sink/data-sink/internal/pipeline/env"
)

// Process is what the process of a function offers its handler.
type Process struct {
	// Getenv returns the value of an environment variable.
	Getenv func(name string) string
	// Log is the function's logger.
	Log *slog.Logger
	// Metrics receives metrics in CloudWatch's embedded metric format.
	Metrics io.Writer

	shutdown []func()
}

// OnShutdown makes Main call f when Lambda shuts the process down. f has less than
// half a second. Lambda does not announce each end of a process.
func (p *Process) OnShutdown(f func()) { p.shutdown = append(p.shutdown, f) }

// AWS loads the AWS configuration from the environment.
//
// It disables endpoints with the account's ID: the VPC endpoint of Kinesis does not
// serve their host names.
func (p *Process) AWS(ctx context.Context, options ...func(*config.LoadOptions) error) (aws.Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx, append(options, config.WithAccountIDEndpointMode(aws.AccountIDEndpointModeDisabled))...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	return cfg, nil
}

// Main serves invocations with the handler that newHandler returns, until Lambda
// ends the process. If newHandler fails, Main logs the error and exits with
// status 1. Otherwise it logs one line with the version of the deployment.
func Main[H lambda.Handler](newHandler func(ctx context.Context, p *Process) (H, error)) {
	p := &Process{Getenv: os.Getenv, Log: newLog(), Metrics: os.Stdout}
	handler, err := newHandler(context.Background(), p)
	if err != nil {
		p.Log.Error("init", "error", err)
		os.Exit(1)
	}
	p.Log.Info("init", "version", p.Getenv(env.Version))
	fit(p.Getenv)
	if len(p.shutdown) == 0 {
		lambda.Start(handler)
		return
	}
	// Lambda sends SIGTERM only to a process that asks for it.
	lambda.StartWithOptions(handler, lambda.WithEnableSIGTERM(func() {
		for _, f := range p.shutdown {
			f()
		}
		os.Exit(0)
	}))
}
