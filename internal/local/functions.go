package local

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/local/endpoints"
	"github.com/data-sink/data-sink/internal/local/gateway"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
	"github.com/data-sink/data-sink/internal/pipeline/bridge"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/ingest"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/pipeline/wake"
)

// functions are the three functions. A change of the streams replaces their
// handlers.
type functions struct {
	ingest, drainer, bridge                    *cloud.Function
	ingestHandler, drainHandler, bridgeHandler replaceable
	credentials                                *basicauth.Cache
	queue                                      Queue // what both functions push to and claim from
}

// replaceable is a handler that can be replaced while it is in use.
type replaceable struct{ current atomic.Pointer[cloud.Handler] }

func (r *replaceable) set(h cloud.Handler) { r.current.Store(&h) }

func (r *replaceable) handle(ctx context.Context, event []byte) ([]byte, error) {
	return (*r.current.Load())(ctx, event)
}

// openFunctions makes the functions, as their commands do on AWS, and the gateway
// that invokes ingest.
func (p *Pipeline) openFunctions() error {
	f := &p.functions
	f.queue = newGroupCommit(p.queue)
	var hold func(context.Context)
	if p.o.RedisURL == "" {
		b := newBacklog(f.queue, func() []string { return p.streams.Load().Names() }, p.o.HoldAtMost)
		f.queue, hold = b, b.hold
	}
	var err error
	if f.credentials, err = p.openCredentials(); err != nil {
		return err
	}
	f.ingest = p.function("ingest", f.ingestHandler.handle)
	f.drainer = p.function("drainer", f.drainHandler.handle)
	f.bridge = p.function("bridge", f.bridgeHandler.handle)
	p.setHandlers(p.o.Streams)
	p.gateway = gateway.New(gateway.Config{Function: f.ingest, Hold: hold, CORSOrigins: p.o.CORSOrigins, Log: p.o.Log})
	return nil
}

// setHandlers makes the handlers for a set of streams.
func (p *Pipeline) setHandlers(streams *stream.Set) {
	f := &p.functions
	objects := archive.New(wrap(p.o.Seams.Archive, archive.Store(p.bucket)), p.o.Deployment)
	wakes := waker{p.wakes}
	drainerEnv := drainerEnv(p.o)
	drainer := drain.New(drain.Config{
		Drainer: drainerEnv, Streams: streams, Archive: objects, Waker: wakes, Log: p.packed.logger(p.log("drainer")),
		Queue:       wrap(p.o.Seams.DrainerQueue, f.queue),
		Kinesis:     drain.KinesisWriter(wrap(p.o.Seams.Kinesis, sink.Service(p.kinesis)), drainerEnv),
		Firehose:    drain.FirehoseWriter(wrap(p.o.Seams.Firehose, sink.Service(p.firehose))),
		TotalClaims: 4, ObserveClaim: p.o.Observe.Drainer,
	})
	ingester := ingest.New(ingest.Config{
		Ingest: ingestEnv(p.o), Streams: streams, Credentials: f.credentials, Archive: objects, Waker: wakes, Log: p.direct.logger(p.log("ingest")),
		Queue: wrap(p.o.Seams.IngestQueue, f.queue), Observe: p.o.Observe.Ingest,
	})
	bridges := bridge.New(bridge.Config{
		Bridge: env.Bridge{Base: env.Base{Name: p.o.Deployment}}, Streams: streams, Archive: objects, Log: p.packed.logger(p.log("bridge")),
		Firehose: bridge.FirehoseWriter(wrap(p.o.Seams.Firehose, sink.Service(p.firehose))),
		Observe:  p.o.Observe.Bridge,
	})
	f.drainHandler.set(drainer.Invoke)
	f.ingestHandler.set(ingester.Invoke)
	f.bridgeHandler.set(bridges.Invoke)
}

// ingestEnv returns the environment of ingest: the defaults, except for what a single
// machine needs.
func ingestEnv(o Options) env.Ingest {
	e := env.Defaults(env.ParseIngest)
	e.Name, e.Wake.Interval, e.PushTimeout = o.Deployment, o.WakeInterval, pushTimeout(o)
	return e
}

// drainerEnv returns the environment of the drainer: the defaults, except for what a
// single machine needs.
func drainerEnv(o Options) env.Drainer {
	e := env.Defaults(env.ParseDrainer)
	e.Name, e.Wake.Interval, e.Lease = o.Deployment, o.WakeInterval, o.Lease
	e.ClaimsInFlight, e.MaxDrainers = 2, 2 // to bound the memory
	return e
}

func (p *Pipeline) function(name string, h cloud.Handler) *cloud.Function {
	if p.o.Seams.Invoke != nil {
		h = p.o.Seams.Invoke(name, h)
	}
	return &cloud.Function{Name: p.o.Deployment + "-" + name, Timeout: functionTimeout, Handler: h}
}

// log returns the logger of a function.
func (p *Pipeline) log(function string) *slog.Logger { return p.o.Log.With("function", function) }

// functionTimeout is the time-out of each function.
const functionTimeout = time.Minute

// openCredentials returns the clients. Without Options.Clients there is one.
func (p *Pipeline) openCredentials() (*basicauth.Cache, error) {
	fetch, refresh := p.o.Clients, endpoints.ClientsRefresh
	if fetch == nil {
		secret, err := json.Marshal(map[string]string{p.o.User: p.o.Password})
		if err != nil {
			return nil, fmt.Errorf("encoding the credentials: %w", err)
		}
		if _, err := basicauth.Parse(secret); err != nil {
			return nil, err
		}
		fetch, refresh = func(context.Context) ([]byte, error) { return secret, nil }, time.Hour
	}
	return basicauth.NewCache(fetch, refresh, refresh), nil
}

// waker sends wake-ups to the queue of wake-ups.
type waker struct{ queue *cloud.Queue }

func (w waker) Wake(ctx context.Context, streamName string, delay time.Duration) error {
	body, err := wake.Body(streamName)
	if err == nil {
		_, err = w.queue.Send(ctx, body, delay)
	}
	return err
}
