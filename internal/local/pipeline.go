// Package local is the whole pipeline in one process: the HTTP API, a Redis that
// is embedded or external, the three handlers of the functions, and the AWS
// services of package cloud on a folder of this machine.
//
// Records that Kinesis or Firehose have accepted are on disk. They survive the
// process, however it ends, and the next process continues with them. The embedded
// Redis keeps its records in memory: Stop empties it, and a process that is killed
// loses them. Nothing is synced to disk, so a loss of power can lose more.
package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/local/gateway"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/bridge"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/ingest"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// ArchiveBucket is the name of the archive's bucket.
const ArchiveBucket = "datasink-archive"

// Options are the parts of a pipeline.
type Options struct {
	// Streams are the streams of streams.json.
	Streams *stream.Set
	// Deployment is the name of the deployment. The default is "datasink".
	Deployment string
	// Data is the folder of everything that is kept: archive/ with the objects, and
	// the files of Kinesis, Firehose and the mappings. It is made with mode 0700.
	// One process uses it at a time.
	Data string
	// Addr is the address of the HTTP API.
	Addr string
	// S3Addr is the address of the archive's S3 API, AWSAddr that of the Kinesis API
	// for consumers of the tap, OperatorAddr that of the operator's verbs. An empty
	// address means that the API is not served.
	S3Addr, AWSAddr, OperatorAddr string
	// PageAddr, if set, is a further address of the HTTP API with its seam, for the
	// live page.
	PageAddr string
	// AWSAddrOptional serves the Kinesis API on a free port if AWSAddr is in use.
	AWSAddrOptional bool
	// AccessKey and SecretKey, if set, must have signed the requests to S3Addr and
	// AWSAddr. An address that is not a loopback address needs them.
	AccessKey, SecretKey string
	// CORSOrigins are the origins whose web pages may post to the HTTP API.
	CORSOrigins []string
	// RedisURL is the URL of an external Redis, which may have credentials. By
	// default the Redis is embedded.
	RedisURL string
	// User and Password are the credentials of the only client, unless Clients is
	// set.
	User, Password string
	// Clients returns the document of the clients' secret, as on AWS. ClientsFile is
	// its file, which the operator's verbs edit.
	Clients     func(ctx context.Context) ([]byte, error)
	ClientsFile string
	// Ready, if set, is called once, when the addresses are open and the data folder
	// is locked, and before the clients are read. Its error ends Start.
	Ready func() error
	// Flush is how long Firehose buffers. The default is 2 s.
	Flush time.Duration
	// Throttle limits each shard of Kinesis as AWS does.
	Throttle bool

	// WakeInterval is the minimum time between two wake-ups of a stream, SweepInterval
	// the time between two sweeps, Lease the lease of a claim, and Window the time
	// for which a batch of the bridge waits for more records. The defaults are 100
	// ms, 1 minute, the drainer's default lease and 100 ms.
	WakeInterval, SweepInterval, Lease, Window time.Duration
	// HoldAtMost is how long a request is held back while the embedded Redis is
	// full. Then its record may become a direct record. The default is 10 s.
	HoldAtMost time.Duration
	// MaxRetries is how often the Kinesis mapping retries a batch before it discards
	// the batch. The default 0 means without end.
	MaxRetries int
	// Seams wrap parts of the pipeline.
	Seams Seams
	// Observe, if set, is called for what happens to records.
	Observe Observers
	Log     *slog.Logger
}

// Observers are called for what happens to records. Each may be nil. They are
// called concurrently and must return quickly.
type Observers struct {
	// Opened is called with the streams when they are open and the records of new ones
	// do not move yet: by Start, and each time SetStreams changes them.
	Opened func(*Pipeline, *stream.Set)
	// Ingest is called for each request, Drainer for each claim, and Bridge for each
	// batch.
	Ingest  func(ingest.Outcome)
	Drainer func(drain.Summary)
	Bridge  func(bridge.Summary)
	// Written is called for each object that Firehose has written.
	Written func(key string, bytes int64)
}

// Seams wrap parts of a pipeline, to make them fail or to see the records. A nil seam
// wraps nothing.
type Seams struct {
	// IngestQueue and DrainerQueue wrap Redis as the two functions use it.
	IngestQueue, DrainerQueue func(Queue) Queue
	// Kinesis and Firehose wrap the services as their writers use them.
	Kinesis, Firehose func(sink.Service) sink.Service
	// Archive wraps the archive as the functions use it, Deliver as Firehose does.
	Archive func(archive.Store) archive.Store
	Deliver func(cloud.WriteObject) cloud.WriteObject
	// Invoke wraps the handler of the function ingest, drainer or bridge.
	Invoke func(function string, handler cloud.Handler) cloud.Handler
	// API wraps the HTTP API that listens at an address.
	API func(listener net.Addr, api http.Handler) http.Handler
}

// wrap applies a seam.
func wrap[T any](seam func(T) T, part T) T {
	if seam == nil {
		return part
	}
	return seam(part)
}

// Pipeline is a running pipeline. It is safe for concurrent use.
type Pipeline struct {
	o       Options
	streams atomic.Pointer[stream.Set] // also the streams that were removed while it runs
	// changing is held while SetStreams changes the streams.
	changing sync.Mutex

	data      *os.Root
	listener  *net.TCPListener
	page      net.Listener // nil: not served
	s3        net.Listener // nil: not served
	aws       net.Listener // nil: not served
	operator  net.Listener // nil: not served
	token     string       // of the operator's port
	packed    *keptLog     // the log lines of packed records, of the drainer and the bridge
	direct    *keptLog     // ingest's log lines of direct records
	queue     *queue.Queue
	bucket    *cloud.Bucket
	kinesis   *cloud.Kinesis
	firehose  *cloud.Firehose
	wakes     *cloud.Queue
	mappings  mappings
	gateway   *gateway.Gateway
	functions functions
	apiServer *http.Server
	closers   []func() error // for closeAll

	// background runs the schedule, wakers the wake-ups, consumers the Kinesis
	// mappings and Firehose.
	background, wakers, consumers *group
}

// group is a set of goroutines that end together.
type group struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func newGroup(ctx context.Context) *group {
	g := &group{}
	g.ctx, g.cancel = context.WithCancel(ctx)
	return g
}

// start runs f until the group is stopped.
func (g *group) start(f func(context.Context)) { g.wg.Go(func() { f(g.ctx) }) }

func (g *group) stop() {
	g.cancel()
	g.wg.Wait()
}

// Start starts a pipeline. Its error names the obstacle: an address in use, a
// folder that cannot be used or that another process uses (ErrLocked), a Redis
// that does not answer.
func Start(ctx context.Context, o Options) (*Pipeline, error) {
	p := &Pipeline{o: withDefaults(o)}
	p.streams.Store(o.Streams)
	if err := p.open(ctx); err != nil {
		return nil, errors.Join(err, p.closeAll())
	}
	p.run(ctx)
	if err := p.announce(); err != nil {
		return nil, errors.Join(err, p.Stop(ctx))
	}
	return p, nil
}

func withDefaults(o Options) Options {
	setDefault(&o.Deployment, "datasink")
	setDefault(&o.Flush, 2*time.Second)
	setDefault(&o.WakeInterval, 100*time.Millisecond)
	setDefault(&o.SweepInterval, time.Minute)
	setDefault(&o.Lease, env.Defaults(env.ParseDrainer).Lease)
	setDefault(&o.Window, 100*time.Millisecond)
	setDefault(&o.HoldAtMost, 10*time.Second)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

func setDefault[T comparable](value *T, byDefault T) {
	var zero T
	if *value == zero {
		*value = byDefault
	}
}

// open makes all parts, those that can fail because of the environment first.
func (p *Pipeline) open(ctx context.Context) error {
	if err := p.listen(); err != nil {
		return err
	}
	data, lock, err := openData(p.o.Data)
	if err != nil {
		return err
	}
	p.data = data
	p.atEnd(data.Close)
	p.atEnd(lock.Close)
	if p.o.Ready != nil {
		if err := p.o.Ready(); err != nil {
			return err
		}
	}
	if p.packed, err = openKeptLog(p.data, "packed", pack.LogPacked); err != nil {
		return err
	}
	p.atEnd(p.packed.file.Close)
	if p.direct, err = openKeptLog(p.data, "direct", archive.LogArchived); err != nil {
		return err
	}
	p.atEnd(p.direct.file.Close)
	if p.bucket, err = cloud.OpenBucket(ArchiveBucket, p.data, "archive", nil); err != nil {
		return fmt.Errorf("opening the archive: %w", err)
	}
	if err := p.openQueue(ctx); err != nil {
		return err
	}
	if err := p.openServices(); err != nil {
		return err
	}
	if err := p.openFunctions(); err != nil {
		return err
	}
	_, err = p.openStreams(p.o.Streams)
	return err
}
