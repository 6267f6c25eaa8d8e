package deployment

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/data-sink/data-sink/internal/local/endpoints"
	"github.com/data-sink/data-sink/internal/operate/remote"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
)

// Functions are the functions that have a log, in the order of a record's path.
var Functions = []string{"ingest", "drainer", "bridge"}

// ErrNotDeployed is returned for a function that a deployment does not have.
var ErrNotDeployed = errors.New("not deployed")

// functionOutputs are the stack outputs with the names of the functions.
var functionOutputs = map[string]string{"ingest": "IngestFunction", "drainer": "DrainerFunction", "bridge": "BridgeFunction"}

// Logs reads the log group in the configuration of the function.
func (c *cloud) Logs(ctx context.Context, name string, words []string, from, to time.Time, each func(line []byte) error) error {
	function, err := c.output(ctx, functionOutputs[name])
	if err != nil {
		return err
	}
	settings, err := lambda.NewFromConfig(c.cfg).GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &function})
	if err != nil {
		return fmt.Errorf("looking up the log of %s: %w", function, err)
	}
	group := "/aws/lambda/" + function
	if settings.LoggingConfig != nil && settings.LoggingConfig.LogGroup != nil {
		group = *settings.LoggingConfig.LogGroup
	}
	return remote.NewLog(c.cfg, group).Lines(ctx, words, from, to, each)
}

// Logs reads the log files in the data folder, which hold the lines of all functions.
// It does not use words: the caller must check the lines anyway.
func (l *local) Logs(ctx context.Context, function string, _ []string, _, _ time.Time, each func(line []byte) error) error {
	for _, name := range []string{endpoints.OldLogFile, endpoints.LogFile} {
		err := l.readLog(ctx, filepath.Join(l.Data, name), function, each)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("reading the log: %w", err)
		}
	}
	return nil
}

func (l *local) readLog(ctx context.Context, path, function string, each func(line []byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return completeLines(ctx, f, func(line []byte) error {
		var of struct{ Function string }
		if json.Unmarshal(line, &of) != nil || of.Function != function {
			return nil
		}
		return each(line)
	})
}

// completeLines calls each with every line that ends in a newline, without the newline.
func completeLines(ctx context.Context, r io.Reader, each func(line []byte) error) error {
	for lines := bufio.NewReaderSize(r, 64<<10); ctx.Err() == nil; {
		line, err := lines.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && ctx.Err() == nil:
			return fmt.Errorf("reading from the local pipeline: %w", err)
		case err == nil:
			if err := each(line[:len(line)-1]); err != nil {
				return err
			}
		}
	}
	return context.Cause(ctx)
}

// directLines is packedLines for direct records.
func directLines(streamName string, from, to time.Time, each func(archive.Line) error) func(line []byte) error {
	return func(line []byte) error {
		d, ok, err := archive.ParseLine(line)
		if err != nil || !ok || d.Stream != streamName || d.LoggedAt.Before(from) || !d.LoggedAt.Before(to) {
			return err
		}
		return each(d)
	}
}

// packedLines returns a function that parses log lines and calls each with those that
// describe packed records of a stream and period.
func packedLines(streamName string, from, to time.Time, each func(pack.Line) error) func(line []byte) error {
	return func(line []byte) error {
		p, ok, err := pack.ParseLine(line)
		if err != nil || !ok || p.Stream != streamName || p.LoggedAt.Before(from) || !p.LoggedAt.Before(to) {
			return err
		}
		return each(p)
	}
}
