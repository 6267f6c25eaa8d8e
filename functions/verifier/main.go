// Command verifier is the Lambda function that verifies the archive on a schedule;
// see package verifier.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/remote"
	"github.com/data-sink/data-sink/internal/operate/verifier"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/lambdalog"
	"github.com/data-sink/data-sink/internal/pipeline/lambdasize"
	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

func main() {
	log := lambdalog.New()
	h, err := newHandler(context.Background(), os.Getenv, log, os.Stdout)
	if err != nil {
		log.Error("init", "error", err)
		os.Exit(1)
	}
	lambdasize.Fit(os.Getenv) // after init, for which Lambda gives more
	awslambda.Start(h)
}

// newHandler wires the function, whose metrics go to metrics. Its error lists
// every setting that is missing or malformed.
func newHandler(ctx context.Context, getenv func(string) string, log *slog.Logger, metrics io.Writer) (*verifier.Handler, error) {
	settings, envErr := env.ParseVerifier(getenv)
	streams, streamsErr := stream.Load(settings.Streams)
	if err := errors.Join(envErr, streamsErr); err != nil {
		return nil, err
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("loading AWS configuration: %w", err)
	}
	functions := lambda.NewFromConfig(cfg)
	// Firehose's objects have no checksum that the client knows: it would say so
	// for each.
	store := s3.NewFromConfig(cfg, func(o *s3.Options) { o.DisableLogOutputChecksumValidationSkipped = true })
	bridgeLog := remote.NewLog(cfg, settings.BridgeLog)
	return verifier.New(verifier.Config{
		Streams: streams,
		Every:   settings.Every,
		Objects: bucket.New(store, settings.ArchiveBucket),
		Inspect: func(ctx context.Context) (drain.Inspection, error) {
			return remote.Inspect(ctx, functions, settings.DrainerFunction)
		},
		PackedLines: func(ctx context.Context, from, to time.Time, each func(line []byte) error) error {
			return bridgeLog.Lines(ctx, []string{pack.LogPacked}, from, to, each)
		},
		Settle:  remote.Settle,
		Observe: verifier.Metrics{Writer: metric.NewWriter(metrics, settings.Name, settings.AllStreamMetrics)}.Observe,
		Log:     log,
	}), nil
}
