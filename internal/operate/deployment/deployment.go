// Package deployment finds the deployment that the operator's command works on: the
// local pipeline, or a deployment in AWS or in an emulator of AWS.
package deployment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/clients"
	"github.com/data-sink/data-sink/internal/operate/remote"
	"github.com/data-sink/data-sink/internal/operate/tap"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Options choose a deployment.
type Options struct {
	// Data is the data folder of a local pipeline.
	Data string
	// AWS chooses AWS even if a local pipeline runs. So do Profile and Region, which
	// select from the shared AWS configuration.
	AWS             bool
	Profile, Region string
	// Name is the name of the deployment.
	Name string
	// Write is set by a verb that changes a deployment. Such a verb works on AWS only
	// if AWS, Profile or Region is set: the variables of the AWS configuration alone
	// do not choose AWS.
	Write bool
	// User and Password are the credentials to post with. By default they come from
	// the file of the local pipeline, or from the clients' secret.
	User, Password string
}

// Target is a deployment. It is safe for concurrent use.
type Target interface {
	// Describe returns a short description for messages.
	Describe() string
	// Deployment returns the name of the deployment.
	Deployment() string
	// API returns the URL of the API and the credentials to post with.
	API(ctx context.Context) (API, error)
	// Archive opens the archive bucket.
	Archive(ctx context.Context) (Archive, error)
	// Place returns where other programs find the archive.
	Place(ctx context.Context) (Place, error)
	// Athena runs SQL statements in a workgroup, see remote.Athena.
	Athena(ctx context.Context, workgroup, results string, statements []string, row func([]string) error) error
	// Inspect returns the state of every queue.
	Inspect(ctx context.Context) (drain.Inspection, error)
	// Lags returns how far the bridge and the Firehose of each of the streams are behind.
	Lags(ctx context.Context, streams []string) (map[string]remote.Lag, error)
	// Tap reads the records of a stream, see tap.Reader.
	Tap(ctx context.Context, streamName string, w tap.Window, each func(tap.Record) error) error
	// Packed reads the log lines of the packed records of a stream from one time to
	// another. The bridge logs them, and for a stream without a tap the drainer.
	Packed(ctx context.Context, streamName string, from, to time.Time, each func(pack.Line) error) error
	// Direct reads the lines of ingest's log for the direct records of a stream from
	// one time to another.
	Direct(ctx context.Context, streamName string, from, to time.Time, each func(archive.Line) error) error
	// Logs calls each with the log lines of one of Functions that contain all words
	// and were logged from one time to another. The caller must check the lines: some
	// are older or newer, and some contain the words in another place. The error is
	// ErrNotDeployed if the deployment does not have the function.
	Logs(ctx context.Context, function string, words []string, from, to time.Time, each func(line []byte) error) error
	// Clients opens the clients' secret.
	Clients(ctx context.Context) (*clients.Store, error)
	// ClientsAge returns the time after which every function has read a changed
	// clients' secret.
	ClientsAge() time.Duration
	// Settle returns the longest time that a record takes from the tap, or from the
	// drainer, to the archive.
	Settle(s stream.Stream) time.Duration
}

// API is the URL of an HTTP API and the credentials to post with.
type API struct{ URL, User, Password string }

// api returns the API at url with the credentials of the options. The default is the
// given user with a plain password of the clients' secret, which open opens.
func (o Options) api(ctx context.Context, url, user string, open func(context.Context) (*clients.Store, error)) (API, error) {
	api := API{URL: url, User: cmp.Or(o.User, user), Password: o.Password}
	if api.Password != "" {
		return api, nil
	}
	store, err := open(ctx)
	if err != nil {
		return API{}, err
	}
	secret, err := store.Read(ctx)
	if err != nil {
		return API{}, err
	}
	client, err := secret.Lookup(api.User)
	if err != nil {
		return API{}, fmt.Errorf("%w (set --user)", err)
	}
	plain := client.Plain()
	if len(plain) == 0 {
		return API{}, fmt.Errorf("client %q: the clients' secret holds only hashes of its passwords: set --password or DATASINK_PASSWORD", api.User)
	}
	api.Password = plain[len(plain)-1]
	return api, nil
}

// Archive reads and writes the archive bucket.
type Archive struct {
	*bucket.Bucket
	Store archive.Store
}

// ErrNoTarget is returned if the options and the environment choose no deployment.
var ErrNoTarget = errors.New("no deployment")

// Place is where other programs find the archive.
type Place struct {
	// Bucket, Region, Account and Topic are those of a deployment in AWS. Topic is the ARN of
	// the SNS topic that announces objects; empty for none.
	Bucket, Region, Account, Topic string
	// Folder is the folder of the archive of a local pipeline. Endpoint is the URL of its
	// S3 API, which has the archive in Bucket; empty for none. Requests are signed with
	// the keys, which are any text if the pipeline accepts all.
	Folder, Endpoint, AccessKey, SecretKey string
}

// ErrNotLocal is returned for a part that the local pipeline does not have.
var ErrNotLocal = errors.New("the local pipeline has none")

// ErrNotRunning is returned if the local pipeline does not answer.
var ErrNotRunning = errors.New("the local pipeline does not answer")

// Find returns the local pipeline if its data folder shows that one is running and
// the options do not choose AWS. Otherwise it returns the deployment in AWS.
func Find(ctx context.Context, o Options) (Target, error) {
	if !o.AWS && o.Profile == "" && o.Region == "" {
		e, err := readEndpoints(o.Data)
		if err == nil {
			return openLocal(o, e), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("finding the local pipeline: %w", err)
		}
		if o.Write {
			return nil, fmt.Errorf("%w: no local pipeline runs in %s: start one with datasink dev, or use --aws "+
				"(or --profile, --region, or DATASINK_AWS=1) to write to a deployment in AWS", ErrNoTarget, o.Data)
		}
	}
	return openCloud(ctx, o)
}
