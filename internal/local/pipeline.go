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
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/archive"
	"github.com/data-sink/data-sink/internal/basicauth"
	"github.com/data-sink/data-sink/internal/bridge"
	"github.com/data-sink/data-sink/internal/drain"
	"github.com/data-sink/data-sink/internal/ingest"
	"github.com/data-sink/data-sink/internal/queue"
	"github.com/data-sink/data-sink/internal/sink"
	"github.com/data-sink/data-sink/internal/stream"
	"golang.org/x/sync/semaphore"
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
	// Addr is where the HTTP API listens, S3Addr the archive's S3 API; empty for
	// none.
	Addr, S3Addr string
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
	listener  net.Listener
	s3        net.Listener // nil for none
	queue     *queue.Queue
	stopRedis func()
	folder    *Folder
	kinesis   *Kinesis
	firehose  *Firehose
	mappings  []*Mapping
	wakes     *WakeQueue
	front     *Front
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

// The most bytes of events that the bridges hold at once, and of one of them.
const (
	bridgeMemory     = 8 << 20
	bridgeBatchBytes = 4 << 20
)

// Start starts a pipeline. Its error says in plain words what is in the way: an
// address in use, a folder that cannot be written or is in use (ErrLocked), a
// Redis that does not answer.
func Start(ctx context.Context, o Options) (*Pipeline, error) {
	p := &Pipeline{o: withDefaults(o), stopRedis: func() {}}
	if err := p.open(ctx); err != nil {
		return nil, errors.Join(err, p.closeAll())
	}
	p.run(ctx)
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
	var err error
	if p.listener, err = net.Listen("tcp", p.o.Addr); err != nil {
		return fmt.Errorf("opening the HTTP API: %w", err)
	}
	if p.o.S3Addr != "" {
		if p.s3, err = net.Listen("tcp", p.o.S3Addr); err != nil {
			return fmt.Errorf("opening the S3 API: %w", err)
		}
	}
	if p.lock, err = lockFolder(p.o.Data); err != nil {
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

// openServices opens Kinesis and Firehose.
func (p *Pipeline) openServices() error {
	shards := make(map[string]int)
	deliveries := make(map[string]DeliveryStream)
	for _, s := range p.o.Streams.All() {
		name := stream.ResourceName(p.o.Deployment, s.Name)
		shards[name] = s.Shards
		if s.Capacity == stream.OnDemand {
			shards[name] = onDemandShards
		}
		deliveries[name] = DeliveryStream{
			Folder: s.Folder, Gzip: s.Compression == stream.Gzip,
			BufferBytes: int64(s.BufferMiB) << 20, BufferFor: p.o.Flush,
		}
	}
	var err error
	p.kinesis, err = OpenKinesis(KinesisOptions{Dir: filepath.Join(p.o.Data, "kinesis"), Shards: shards, Throttle: p.o.Throttle})
	if err != nil {
		return err
	}
	p.firehose, err = OpenFirehose(FirehoseOptions{
		Dir: filepath.Join(p.o.Data, "firehose"), Streams: deliveries,
		Write: wrap(p.o.Seams.Deliver, p.folder.Write), Log: p.o.Log,
	})
	return err
}

// openFunctions puts the handlers together as their commands do on AWS.
func (p *Pipeline) openFunctions() error {
	var q Queue = p.queue
	var hold func(context.Context)
	if p.o.RedisURL == "" {
		b := newBacklog(q, p.o.Streams.Names(), p.o.HoldAtMost)
		q, hold = b, b.hold
	}
	objects := archive.New(wrap(p.o.Seams.Archive, archive.Store(p.folder)), p.o.Deployment)

	p.drainer = p.function("drainer", nil)
	p.wakes = NewWakeQueue(WakeQueueOptions{Function: p.drainer, Concurrency: 4, Visibility: time.Second, MaxReceives: 5, Log: p.o.Log})
	drainer := drain.New(drain.Options{
		Deployment: p.o.Deployment, Streams: p.o.Streams, Archive: objects, Waker: p.wakes, Log: p.o.Log,
		Queue: wrap(p.o.Seams.DrainerQueue, q),
		Sink:  &sink.Writer{Service: wrap(p.o.Seams.Kinesis, sink.Service(p.kinesis)), Limits: sink.KinesisLimits, MaxAttempts: 4},
		Lease: p.o.Lease, ClaimsInFlight: 2, TotalClaims: 4, MaxDrainers: 2, WakeInterval: p.o.WakeInterval,
	})
	p.drainer.Handler = p.handler("drainer", drainer.Invoke)

	credentials, err := p.credentials()
	if err != nil {
		return err
	}
	ingester := ingest.New(ingest.Config{
		Streams: p.o.Streams, Credentials: credentials, Archive: objects, Waker: p.wakes, Logger: p.o.Log,
		Queue: wrap(p.o.Seams.IngestQueue, q), PushTimeout: pushTimeout(p.o), WakeInterval: p.o.WakeInterval,
	})
	p.front = NewFront(FrontOptions{Function: p.function("ingest", ingester.Invoke), Hold: hold, Log: p.o.Log})

	bridges := bridge.New(bridge.Config{
		Deployment: p.o.Deployment, Streams: p.o.Streams, Archive: objects, Log: p.o.Log,
		Firehose: &sink.Writer{Service: wrap(p.o.Seams.Firehose, sink.Service(p.firehose)), Limits: sink.FirehoseLimits},
	})
	return p.openMappings(p.function("bridge", bridges.Invoke))
}

// credentials has the one client that there is.
func (p *Pipeline) credentials() (*basicauth.Cache, error) {
	secret, err := json.Marshal(map[string]string{p.o.User: p.o.Password})
	if err != nil {
		return nil, fmt.Errorf("encoding the credentials: %w", err)
	}
	if _, err := basicauth.Parse(secret); err != nil {
		return nil, err
	}
	fetch := func(context.Context) ([]byte, error) { return secret, nil }
	return basicauth.NewCache(fetch, time.Hour, time.Hour), nil
}

func (p *Pipeline) openMappings(bridges *Function) error {
	memory := semaphore.NewWeighted(bridgeMemory)
	for _, s := range p.o.Streams.All() {
		name := stream.ResourceName(p.o.Deployment, s.Name)
		m, err := OpenMapping(MappingOptions{
			Kinesis: p.kinesis, Stream: name, Function: bridges, Dir: filepath.Join(p.o.Data, "mapping", name),
			BatchBytes: bridgeBatchBytes, Window: p.o.Window, MaxRetries: p.o.MaxRetries,
			// As on AWS: an hour before the stream would drop the record.
			MaxAge:    time.Duration(s.RetentionHours-1) * time.Hour,
			OnFailure: p.folder, Memory: memory, Log: p.o.Log,
		})
		if err != nil {
			return err
		}
		p.mappings = append(p.mappings, m)
	}
	return nil
}

func (p *Pipeline) function(name string, h Handler) *Function {
	f := &Function{Name: p.o.Deployment + "-" + name, Timeout: time.Minute}
	if h != nil {
		f.Handler = p.handler(name, h)
	}
	return f
}

func (p *Pipeline) handler(name string, h Handler) Handler {
	if p.o.Seams.Invoke == nil {
		return h
	}
	return p.o.Seams.Invoke(name, h)
}
