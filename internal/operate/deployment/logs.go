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
	for lines := bufio.NewReader(f); ctx.Err() == nil; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // a line without a newline is incomplete
		}
		if err != nil {
			return err
		}
		var of struct{ Function string }
		if json.Unmarshal(line, &of) != nil || of.Function != function {
			continue
		}
		if err := each(line[:len(line)-1]); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}
