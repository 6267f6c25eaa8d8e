package local

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/data-sink/data-sink/internal/local/gateway"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
	"github.com/data-sink/data-sink/internal/pipeline/bridge"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/ingest"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"golang.org/x/sync/semaphore"
)

// The most bytes of events that the bridges hold at once, and of one of them.
const (
	bridgeMemory     = 8 << 20
	bridgeBatchBytes = 4 << 20
)

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
	if err != nil {
		return err
	}
	streams, err := leftovers(filepath.Join(p.o.Data, "kinesis"), ".spool", shards)
	if err != nil {
		return err
	}
	buffers, err := leftovers(filepath.Join(p.o.Data, "firehose"), bufferSuffix, deliveries)
	for _, folder := range append(streams, buffers...) {
		p.o.Log.Warn("records of a stream that streams.json does not name stay where they are", "folder", folder)
	}
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
		Deployment: p.o.Deployment, Streams: p.o.Streams, Archive: objects, Waker: p.wakes, Log: p.log("drainer"),
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
		Streams: p.o.Streams, Credentials: credentials, Archive: objects, Waker: p.wakes, Logger: p.direct.logger(p.log("ingest")),
		Queue: wrap(p.o.Seams.IngestQueue, q), PushTimeout: pushTimeout(p.o), WakeInterval: p.o.WakeInterval,
	})
	p.gateway = gateway.New(gateway.Config{Function: p.function("ingest", ingester.Invoke), Hold: hold, Log: p.o.Log})

	bridges := bridge.New(bridge.Config{
		Deployment: p.o.Deployment, Streams: p.o.Streams, Archive: objects, Log: p.packed.logger(p.log("bridge")),
		Firehose: &sink.Writer{Service: wrap(p.o.Seams.Firehose, sink.Service(p.firehose)), Limits: sink.FirehoseLimits},
	})
	return p.openMappings(p.function("bridge", bridges.Invoke))
}

// log returns the logger of a function.
func (p *Pipeline) log(function string) *slog.Logger { return p.o.Log.With("function", function) }

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
