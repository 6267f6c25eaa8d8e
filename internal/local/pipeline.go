// Package local is the whole pipeline in one process: an HTTP front that builds
// the events of API Gateway, an embedded Redis or another one, the three real
// handlers, and Kinesis, Firehose, SQS, the schedule and the event source
// mappings with their real limits and semantics, on a folder of this machine.
//
// What Kinesis and Firehose have taken lies on disk and outlives the process,
// however it ends; the next one goes on with it. The embedded Redis keeps records
// in memory: Stop empties it, a process that is killed loses what is in it.
// Nothing is synced to disk, so that a loss of power may lose more.
package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/local/gateway"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Options says what a pipeline consists of.
type Options struct {
	// Streams are those of streams.json.
	Streams *stream.Set
	// Deployment is the name of the deployment. Default "datasink".
	Deployment string
	// Data is the folder of everything that is kept: archive/ with the objects,
	// and what Kinesis, Firehose and the mappings need. One process at a time.
	Data string
	// Addr is where the HTTP API listens, S3Addr where the archive's S3 API does;
	// an empty S3Addr is for none.
	Addr, S3Addr string
	// OperatorAddr is where the questions of the operator's command are answered;
	// empty for nowhere. It finds the pipeline by a file in Data.
	OperatorAddr string
	// RedisURL is a Redis to use; empty for an embedded one. It may hold
	// credentials.
	RedisURL string
	// User and Password are those of the only client.
	User, Password string
	// Flush is how long Firehose buffers. Default 2 s.
	Flush time.Duration
	// Throttle makes Kinesis keep the rates of its shards, 1,000 records and
	// 1 MiB a second each.
	Throttle bool

	// WakeInterval is the least time between two wake-ups of a stream, default
	// 100 ms; SweepInterval that between two sweeps, default a minute; Lease how
	// long a claim belongs to a drainer, default 15 s; Window how long a batch for
	// the bridge waits to fill, default 100 ms.
	WakeInterval, SweepInterval, Lease, Window time.Duration
	// HoldAtMost is how long a caller waits while the embedded queue is long;
	// default 10 s. Then its record may go straight to the archive.
	HoldAtMost time.Duration
	// MaxRetries is how often the mapping tries a batch again before it gives it
	// up, default 0 for ever.
	MaxRetries int
	// Seams are where faults can be put.
	Seams Seams
	Log   *slog.Logger
}

// Seams wrap parts of a pipeline, to watch them or to make them fail. Nil wraps
// nothing.
type Seams struct {
	// IngestQueue and DrainerQueue wrap Redis as the two functions see it.
	IngestQueue, DrainerQueue func(Queue) Queue
	// Kinesis and Firehose wrap the services as their writers see them.
	Kinesis, Firehose func(sink.Service) sink.Service
	// Archive wraps the archive as the functions see it, Deliver as Firehose does.
	Archive func(archive.Store) archive.Store
	Deliver func(WriteObject) WriteObject
	// Invoke wraps the handlers of the functions, by name: ingest, drainer or
	// bridge.
	Invoke func(function string, handler Handler) Handler
	// API wraps the HTTP API that listens at that address.
	API func(listener net.Addr, api http.Handler) http.Handler
}

// Handler takes an event as JSON and answers with JSON.
type Handler func(ctx context.Context, event []byte) ([]byte, error)

// wrap applies a seam.
func wrap[T any](seam func(T) T, part T) T {
	if seam == nil {
		return part
	}
	return seam(part)
}

// Pipeline is a running pipeline.
type Pipeline struct {
	o         Options
	lock      *os.File
	listener  *net.TCPListener
	s3        net.Listener // nil for none
	operator  net.Listener // nil for none
	packed    *keptLog
	direct    *keptLog
	queue     *queue.Queue
	stopRedis func()
	folder    *Folder
	kinesis   *Kinesis
	firehose  *Firehose
	mappings  []*Mapping
	wakes     *WakeQueue
	gateway   *gateway.Gateway
	s3Handler http.Handler
	drainer   *Function
	servers   []*http.Server

	// background runs the schedule, consumers the mappings and Firehose.
	background, consumers group
}

// group is goroutines that end together.
type group struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func (g *group) stop() {
	if g.cancel != nil {
		g.cancel()
	}
	g.wg.Wait()
}

// Start starts a pipeline. Its error says in plain words what is in the way: an
// address in use, a folder that cannot be written or is in use (ErrLocked), a
// Redis that does not answer.
func Start(ctx context.Context, o Options) (*Pipeline, error) {
	p := &Pipeline{o: withDefaults(o), stopRedis: func() {}}
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
	orDefault(&o.Deployment, "datasink")
	orDefault(&o.Flush, 2*time.Second)
	orDefault(&o.WakeInterval, 100*time.Millisecond)
	orDefault(&o.SweepInterval, time.Minute)
	orDefault(&o.Lease, 15*time.Second)
	orDefault(&o.Window, 100*time.Millisecond)
	orDefault(&o.HoldAtMost, 10*time.Second)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

func orDefault[T comparable](value *T, byDefault T) {
	var zero T
	if *value == zero {
		*value = byDefault
	}
}

// open makes all parts, the ones that can be in the way first.
func (p *Pipeline) open(ctx context.Context) error {
	listener, err := net.Listen("tcp", p.o.Addr)
	if err != nil {
		return fmt.Errorf("opening the HTTP API: %w", err)
	}
	p.listener = listener.(*net.TCPListener)
	if p.o.S3Addr != "" {
		if p.s3, err = net.Listen("tcp", p.o.S3Addr); err != nil {
			return fmt.Errorf("opening the S3 API: %w", err)
		}
	}
	if err := p.openOperator(); err != nil {
		return err
	}
	if p.lock, err = lockFolder(p.o.Data); err != nil {
		return err
	}
	if p.packed, err = openKeptLog(p.o.Data, "packed", pack.LogPacked); err != nil {
		return err
	}
	if p.direct, err = openKeptLog(p.o.Data, "direct", archive.LogArchived); err != nil {
		return err
	}
	if p.folder, err = OpenFolder(filepath.Join(p.o.Data, "archive"), filepath.Join(p.o.Data, "tmp")); err != nil {
		return err
	}
	if p.s3Handler, err = p.folder.S3(); err != nil {
		return err
	}
	if err := p.openQueue(ctx); err != nil {
		return err
	}
	if err := p.openServices(); err != nil {
		return err
	}
	return p.openFunctions()
}
