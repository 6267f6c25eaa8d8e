// Package deployment finds the deployment that the operator's command works on: the
// local pipeline, or a deployment in AWS or in an emulator of AWS.
package deployment

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/data-sink/data-sink/internal/local/endpoints"
	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/clients"
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
	// Inspect returns the state of every queue.
	Inspect(ctx context.Context) (drain.Inspection, error)
	// Tap reads the records of a stream, see tap.Reader.
	Tap(ctx context.Context, streamName string, w tap.Window, each func(tap.Record) error) error
	// Packed reads the lines of the bridge's log for a stream from one time to another.
	Packed(ctx context.Context, streamName string, from, to time.Time, each func(pack.Line) error) error
	// Clients opens the clients' secret.
	Clients(ctx context.Context) (*clients.Store, error)
	// Settle returns the longest time that a record takes from the tap to the archive.
	Settle(s stream.Stream) time.Duration
}

// API is the URL of an HTTP API and the credentials to post with.
type API struct{ URL, User, Password string }

// Archive reads and writes the archive bucket.
type Archive struct {
	*bucket.Bucket
	Store archive.Store
}

// ErrNotLocal is returned for a part that the local pipeline does not have.
var ErrNotLocal = errors.New("the local pipeline has none")

// ErrNotRunning is returned if the local pipeline does not answer.
var ErrNotRunning = errors.New("the local pipeline does not answer")

// Find returns the local pipeline if its data folder shows that one is running and
// the options do not choose AWS. Otherwise it returns the deployment in AWS.
func Find(ctx context.Context, o Options) (Target, error) {
	if !o.AWS && o.Profile == "" && o.Region == "" {
		path := filepath.Join(o.Data, endpoints.File)
		content, err := os.ReadFile(path)
		if err == nil {
			return openLocal(o, path, content)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("finding the local pipeline: %w", err)
		}
	}
	return openCloud(ctx, o)
}
