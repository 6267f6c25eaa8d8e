package deployment

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/data-sink/data-sink/internal/local/endpoints"
	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/clients"
	"github.com/data-sink/data-sink/internal/operate/tap"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// laptop is the pipeline of this machine.
type laptop struct {
	endpoints.Endpoints
	data           string
	user, password string
	http           *http.Client
}

func openLaptop(o Options, path string, content []byte) (*laptop, error) {
	l := &laptop{data: o.Data, http: &http.Client{}}
	if err := json.Unmarshal(content, &l.Endpoints); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	l.user, l.password = l.User, l.Password
	if o.User != "" {
		l.user = o.User
	}
	if o.Password != "" {
		l.password = o.Password
	}
	return l, nil
}

func (l *laptop) Describe() string   { return "the pipeline of this machine, in " + l.data }
func (l *laptop) Deployment() string { return l.Endpoints.Deployment }

func (l *laptop) API(context.Context) (API, error) {
	return API{URL: l.APIURL, User: l.user, Password: l.password}, nil
}

func (l *laptop) Archive(context.Context) (Archive, error) {
	if l.S3URL == "" {
		return Archive{}, fmt.Errorf("opening the archive: %w: it was started without --s3-addr", ErrNotHere)
	}
	client := s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &l.S3URL, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("any", "any", ""),
	})
	return Archive{Bucket: bucket.New(client, l.Bucket), Store: archive.NewS3(client, l.Bucket)}, nil
}

func (l *laptop) Clients(context.Context) (*clients.Store, error) {
	return nil, fmt.Errorf("opening the clients' secret: %w: it has one client, of `datasink dev --user --password`", ErrNotHere)
}

// Settle is what its Firehose buffers, and ten seconds for all the rest.
func (l *laptop) Settle(stream.Stream) time.Duration {
	return time.Duration(l.FlushSeconds*float64(time.Second)) + 10*time.Second
}

func (l *laptop) Inspect(ctx context.Context) (drain.Inspection, error) {
	var answer drain.Inspection
	body, err := l.get(ctx, "/inspect", nil)
	if err != nil {
		return answer, err
	}
	defer func() { _ = body.Close() }()
	if err := json.NewDecoder(body).Decode(&answer); err != nil {
		return answer, fmt.Errorf("inspecting the queues: %w", err)
	}
	return answer, nil
}

func (l *laptop) Tap(ctx context.Context, streamName string, w tap.Window, each func(tap.Record) error) error {
	query := make(url.Values)
	if !w.From.IsZero() {
		query.Set("since", w.From.Format(time.RFC3339Nano))
	}
	if !w.Until.IsZero() {
		query.Set("until", w.Until.Format(time.RFC3339Nano))
	}
	return l.lines(ctx, "/tap/"+url.PathEscape(streamName), query, func(line []byte) error {
		var t endpoints.TapLine
		if err := json.Unmarshal(line, &t); err != nil {
			return fmt.Errorf("reading the tap: %w", err)
		}
		return each(tap.Record{Shard: t.Shard, Sequence: t.Sequence, PartitionKey: t.PartitionKey, ArrivedAt: t.ReceivedAt, Body: t.Body})
	})
}

func (l *laptop) Packed(ctx context.Context, streamName string, from, to time.Time, each func(pack.Line) error) error {
	return l.lines(ctx, "/packed", nil, packedLines(streamName, from, to, each))
}

// packedLines returns what takes lines of the bridge's log, and passes on those
// of packed records of a stream and a time.
func packedLines(streamName string, from, to time.Time, each func(pack.Line) error) func(line []byte) error {
	return func(line []byte) error {
		p, ok, err := pack.ParseLine(line)
		if err != nil || !ok || p.Stream != streamName || p.LoggedAt.Before(from) || !p.LoggedAt.Before(to) {
			return err
		}
		return each(p)
	}
}

// lines calls each with every line of an answer.
func (l *laptop) lines(ctx context.Context, path string, query url.Values, each func(line []byte) error) error {
	body, err := l.get(ctx, path, query)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	lines := bufio.NewReaderSize(body, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // what has no end was cut off
		}
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("reading from the pipeline: %w", err)
		}
		if err := each(line); err != nil {
			return err
		}
	}
}

func (l *laptop) get(ctx context.Context, path string, query url.Values) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.OperatorURL+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	response, err := l.http.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("the pipeline of this machine does not answer; if it does not run any more, remove %s or use --aws: %w", filepath.Join(l.data, endpoints.File), err)
	}
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10)) // It only makes the error clearer.
		_ = response.Body.Close()
		return nil, fmt.Errorf("asking the pipeline for %s: %s: %s", path, response.Status, text)
	}
	return response.Body, nil
}
