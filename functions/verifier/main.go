// Command verifier is the Lambda function that verifies the archive on a schedule;
// see package verifier.
package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/manifest"
	"github.com/data-sink/data-sink/internal/operate/remote"
	"github.com/data-sink/data-sink/internal/operate/verifier"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/function"
	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

func main() { function.Main(newHandler) }

// newHandler returns the function's handler. The error lists every missing or
// malformed setting.
func newHandler(ctx context.Context, p *function.Process) (*verifier.Handler, error) {
	settings, envErr := env.ParseVerifier(p.Getenv)
	streams, streamsErr := stream.Load(settings.Streams)
	var logErr error
	if streamsErr == nil && settings.BridgeLog == "" && slices.ContainsFunc(streams.All(), stream.Stream.HasTap) {
		logErr = fmt.Errorf("%s: missing: the bridge delivers the records of streams with a tap", env.BridgeLog)
	}
	if err := errors.Join(envErr, streamsErr, logErr); err != nil {
		return nil, err
	}
	cfg, err := p.AWS(ctx)
	if err != nil {
		return nil, err
	}
	functions := lambda.NewFromConfig(cfg)
	// Firehose writes its objects without a checksum, and the client would log this
	// for each object.
	store := s3.NewFromConfig(cfg, func(o *s3.Options) { o.DisableLogOutputChecksumValidationSkipped = true })
	objects := bucket.New(store, settings.ArchiveBucket)
	senders := []*remote.Log{remote.NewLog(cfg, settings.DrainerLog)} // what puts packed records to Firehose
	if settings.BridgeLog != "" {
		senders = append(senders, remote.NewLog(cfg, settings.BridgeLog))
	}
	ingestLog := remote.NewLog(cfg, settings.IngestLog)
	return verifier.New(verifier.Config{
		Streams:   streams,
		Verifier:  settings,
		Objects:   objects,
		Manifests: &manifest.Archive{Bucket: objects, Store: archive.NewS3(store, settings.ArchiveBucket)},
		Inspect: func(ctx context.Context) (drain.Inspection, error) {
			return remote.Inspect(ctx, functions, settings.DrainerFunction)
		},
		PackedLines: func(ctx context.Context, from, to time.Time, each func(line []byte) error) error {
			for _, log := range senders {
				if err := log.Lines(ctx, []string{pack.LogPacked}, from, to, each); err != nil {
					return err
				}
			}
			return nil
		},
		DirectLines: func(ctx context.Context, from, to time.Time, each func(line []byte) error) error {
			return ingestLog.Lines(ctx, []string{archive.LogArchived}, from, to, each)
		},
		Settle:  remote.Settle,
		Observe: verifier.Metrics{Writer: metric.NewWriter(p.Metrics, settings.Name, settings.AllStreamMetrics)}.Observe,
		Log:     p.Log,
	}), nil
}
