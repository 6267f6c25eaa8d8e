package deployment

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/data-sink/data-sink/internal/local/endpoints"
	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/clients"
	"github.com/data-sink/data-sink/internal/operate/remote"
	"github.com/data-sink/data-sink/internal/operate/tap"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// local is the local pipeline.
type local struct {
	Options
	endpoints.Endpoints
	http *http.Client
}

func openLocal(o Options, e endpoints.Endpoints) *local {
	return &local{Options: o, Endpoints: e, http: &http.Client{CheckRedirect: refuseRedirect}}
}

// signer returns the credentials for the S3 and Kinesis APIs, which accept any
// unless the pipeline was started with an access key.
func (l *local) signer() aws.CredentialsProvider {
	if l.AccessKey != "" {
		return credentials.NewStaticCredentialsProvider(l.AccessKey, l.SecretKey, "")
	}
	return credentials.NewStaticCredentialsProvider("any", "any", "")
}

// refuseRedirect lets a client return a redirect as the response.
func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func (l *local) Describe() string   { return "the local pipeline in " + l.Data }
func (l *local) Deployment() string { return l.Endpoints.Deployment }

// API reads the password in the file of the clients, which can have changed since the
// pipeline was started.
func (l *local) API(ctx context.Context) (API, error) {
	if l.ClientsFile == "" && l.Options.User == "" && l.Options.Password == "" {
		return API{URL: l.APIURL, User: l.Endpoints.User, Password: l.Endpoints.Password}, nil
	}
	return l.api(ctx, l.APIURL, l.Endpoints.User, l.Clients)
}

func (l *local) Archive(context.Context) (Archive, error) {
	if l.S3URL == "" {
		return Archive{}, fmt.Errorf("opening the archive: %w: it was started with an empty --s3-addr", ErrNotLocal)
	}
	client := s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &l.S3URL, UsePathStyle: true,
		Credentials: l.signer(),
	})
	return Archive{Bucket: bucket.New(client, l.Bucket), Store: archive.NewS3(client, l.Bucket)}, nil
}

func (l *local) Clients(context.Context) (*clients.Store, error) {
	if l.ClientsFile == "" {
		return nil, fmt.Errorf("opening the clients' secret: %w", ErrNotLocal)
	}
	return clients.NewFileStore(l.ClientsFile), nil
}

func (l *local) ClientsAge() time.Duration { return endpoints.ClientsRefresh }

// Settle returns the buffer time of the local Firehose plus ten seconds.
func (l *local) Settle(stream.Stream) time.Duration {
	return time.Duration(l.FlushSeconds*float64(time.Second)) + 10*time.Second
}

func (l *local) Inspect(ctx context.Context) (inspection drain.Inspection, err error) {
	err = l.decode(ctx, "/inspect", &inspection)
	if errors.Is(err, errStatus) {
		err = fmt.Errorf("%w: %w", remote.ErrFunction, err)
	}
	return inspection, err
}

// Lags returns the lags of all streams of the pipeline.
func (l *local) Lags(ctx context.Context, _ []string) (lags map[string]remote.Lag, err error) {
	err = l.decode(ctx, "/lags", &lags)
	return lags, err
}

func (l *local) Tap(ctx context.Context, streamName string, w tap.Window, each func(tap.Record) error) error {
	if l.AWSURL == "" {
		return fmt.Errorf("reading the tap: %w: it was started with an empty --aws-addr", ErrNotLocal)
	}
	reader := tap.NewFromConfig(aws.Config{Region: "us-east-1", BaseEndpoint: &l.AWSURL, Credentials: l.signer()})
	return reader.Read(ctx, stream.ResourceName(l.Endpoints.Deployment, streamName), w, each)
}

func (l *local) Packed(ctx context.Context, streamName string, from, to time.Time, each func(pack.Line) error) error {
	return l.lines(ctx, "/packed", packedLines(streamName, from, to, each))
}

// Place is the folder in the data folder, which holds objects by their keys.
func (l *local) Place(context.Context) (Place, error) {
	folder, err := filepath.Abs(filepath.Join(l.Data, "archive"))
	if err != nil {
		return Place{}, fmt.Errorf("finding the archive: %w", err)
	}
	return Place{Folder: folder, Bucket: l.Bucket, Endpoint: l.S3URL, AccessKey: cmp.Or(l.AccessKey, "any"), SecretKey: cmp.Or(l.SecretKey, "any")}, nil
}

// Athena returns ErrNotLocal.
func (l *local) Athena(context.Context, string, string, []string, func([]string) error) error {
	return fmt.Errorf("opening Athena: %w", ErrNotLocal)
}

func (l *local) Direct(ctx context.Context, streamName string, from, to time.Time, each func(archive.Line) error) error {
	return l.lines(ctx, "/direct", directLines(streamName, from, to, each))
}

// decode decodes the JSON of a response.
func (l *local) decode(ctx context.Context, path string, v any) error {
	body, err := l.get(ctx, path)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	if err := json.NewDecoder(body).Decode(v); err != nil {
		return fmt.Errorf("reading %s from the local pipeline: %w", path, err)
	}
	return nil
}

// lines calls each with every line of a response.
func (l *local) lines(ctx context.Context, path string, each func(line []byte) error) error {
	body, err := l.get(ctx, path)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	return completeLines(ctx, body, each)
}

// errStatus is returned for a response with a status other than 200.
var errStatus = errors.New("the pipeline refused")

func (l *local) get(ctx context.Context, path string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.OperatorURL+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+l.Token)
	response, err := l.http.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("%w; if it has ended, remove %s or use --aws: %w", ErrNotRunning, filepath.Join(l.Data, endpoints.File), err)
	}
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10)) // The text is optional.
		_ = response.Body.Close()
		return nil, fmt.Errorf("requesting %s from the local pipeline: %w: %s: %s", path, errStatus, response.Status, bytes.TrimSpace(text))
	}
	return response.Body, nil
}
