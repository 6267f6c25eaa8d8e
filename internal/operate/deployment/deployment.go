// Package deployment finds the deployment that the operator's command works on: the
// pipeline of this machine, or one on AWS or an emulator of it.
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

// Options say which deployment.
type Options struct {
	// Data is the data folder of the pipeline of this machine.
	Data string
	// AWS takes AWS even when such a pipeline is there. Profile and Region do so,
	// too, and choose among the shared configuration's.
	AWS             bool
	Profile, Region string
	// Name is the deployment's.
	Name string
	// User and Password are those to post with. Empty ones are found: on this
	// machine by the pipeline's own file, else in the clients' secret.
	User, Password string
}

// Target is a deployment. It is safe for concurrent use.
type Target interface {
	// Describe names it in a sentence.
	Describe() string
	// Deployment is the deployment's name.
	Deployment() string
	// API is where to post.
	API(ctx context.Context) (API, error)
	// Archive is the bucket.
	Archive(ctx context.Context) (Archive, error)
	// Inspect reads the state of every queue.
	Inspect(ctx context.Context) (drain.Inspection, error)
	// Tap reads a stream's records, see tap.Reader.
	Tap(ctx context.Context, streamName string, w tap.Window, each func(tap.Record) error) error
	// Packed reads the bridge's log of a stream from one time to another.
	Packed(ctx context.Context, streamName string, from, to time.Time, each func(pack.Line) error) error
	// Clients is the clients' secret.
	Clients(ctx context.Context) (*clients.Store, error)
	// Settle is how long a record may be under way from the tap to the archive.
	Settle(s stream.Stream) time.Duration
}

// API is where to post, and as whom.
type API struct{ URL, User, Password string }

// Archive is the bucket, to read and to write.
type Archive struct {
	*bucket.Bucket
	Store archive.Store
}

// ErrNotHere says that the pipeline of this machine has no such thing.
var ErrNotHere = errors.New("the pipeline of this machine has none")

// Find returns the pipeline of this machine when its data folder says that it
// runs and the options do not ask for AWS; else the deployment on AWS.
func Find(ctx context.Context, o Options) (Target, error) {
	if !o.AWS && o.Profile == "" && o.Region == "" {
		path := filepath.Join(o.Data, endpoints.File)
		content, err := os.ReadFile(path)
		if err == nil {
			return openLaptop(o, path, content)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("looking for the pipeline of this machine: %w", err)
		}
	}
	return openAWS(ctx, o)
}
