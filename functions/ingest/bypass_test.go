package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/function"
	"github.com/data-sink/data-sink/internal/pipeline/ingest"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/awstest"
	"github.com/data-sink/data-sink/internal/rig/redistest"
	"github.com/data-sink/data-sink/internal/rig/s3test"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

// deployment is a deployment whose Redis changes under load. It counts each body
// that a client sent with 202 and that the tap got, and each object of a direct record.
type deployment struct {
	tb                    testing.TB
	aws                   *awstest.Server
	archive               string // the folder of the objects
	streams               *stream.Set
	ingest                atomic.Pointer[version]
	mu                    sync.Mutex
	accepted, tap, direct map[string]int
}

// version is a deployed function. Its requests hold the lock for reading.
type version struct {
	*ingest.Handler
	sync.RWMutex
}

func newDeployment(t *testing.T) *deployment {
	t.Helper()
	streams, err := stream.Load("../../streams.json")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	d := &deployment{
		tb: t, archive: filepath.Join(dir, "bucket"), streams: streams,
		accepted: make(map[string]int), tap: make(map[string]int), direct: make(map[string]int),
	}
	d.aws = awstest.StartForTest(t, awstest.Options{
		Dir: dir, Buckets: []string{"bucket"}, Queues: []string{"/queue"}, Secrets: map[string]string{"clients": `{"datasink":"hunter2"}`},
		Faults: &cloud.Faults{Observe: func(c cloud.Call, o cloud.Outcome) {
			if c.Operation == "PutObject" && o.Stored > 0 {
				d.count(d.direct, c.Resource)
			}
		}},
	})
	awstest.Setenv(t, d.aws.URL)
	return d
}

func (d *deployment) count(bodies map[string]int, body string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	bodies[body]++
}

// deploy replaces the ingest function and waits for the requests of the old one.
func (d *deployment) deploy(redisURL string, bypassQueue bool) {
	d.tb.Helper()
	h, err := newHandler(d.tb.Context(), &function.Process{Getenv: lookup(map[string]string{
		env.Name: "datasink", env.Streams: "../../streams.json", env.ArchiveBucket: "bucket", env.RedisURL: redisURL,
		env.WakeQueueURL: d.aws.URL + "/queue", env.ClientsSecret: "clients", env.PushTimeout: "5s", env.BypassQueue: fmt.Sprint(bypassQueue),
	}), Log: slog.New(slog.DiscardHandler), Metrics: io.Discard})
	if err != nil {
		d.tb.Fatal(err)
	}
	if old := d.ingest.Swap(&version{Handler: h}); old != nil {
		old.Lock()
	}
}

// invoke passes an event to the deployed function.
func (d *deployment) invoke(event string) ([]byte, error) {
	v := d.ingest.Load()
	for !v.TryRLock() { // it has been replaced
		v = d.ingest.Load()
	}
	defer v.RUnlock()
	return v.Invoke(context.Background(), []byte(event))
}

// load posts bodies from several clients until stop is called, which waits for the
// last answers.
func (d *deployment) load() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				body := fmt.Sprintf("record %d", next.Add(1))
				event := `{"rawPath":"/archives/orders","headers":{"authorization":"Basic ZGF0YXNpbms6aHVudGVyMg=="},"requestContext":{"http":{"method":"POST"}},"body":"` + body + `"}`
				out, err := d.invoke(event)
				if err != nil || !strings.HasPrefix(string(out), `{"statusCode":202`) {
					d.tb.Errorf("posting %s: %s, %v", body, out, err)
				}
				d.count(d.accepted, body)
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

// await waits until n more bodies have been counted.
func (d *deployment) await(bodies map[string]int, n int) {
	d.tb.Helper()
	size := func() int {
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(bodies)
	}
	deadline := time.Now().Add(time.Minute)
	for want := size() + n; size() < want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			d.tb.Fatalf("%d records after a minute, want %d", size(), want)
		}
	}
}

// Put is the tap.
func (d *deployment) Put(_ context.Context, _ string, entries []sink.Entry) sink.Result {
	for _, e := range entries {
		d.count(d.tap, string(e.Data))
	}
	return sink.Result{}
}

func (d *deployment) Wake(context.Context, string, time.Duration) error { return nil }

// empty sweeps the queue of a Redis until nothing is left in it.
func (d *deployment) empty(redisURL string) {
	d.tb.Helper()
	q, err := queue.Open(queue.Options{Deployment: "datasink", URL: redisURL})
	if err != nil {
		d.tb.Fatal(err)
	}
	defer func() { _ = q.Close() }()
	e := env.Defaults(env.ParseDrainer)
	e.Name = "datasink"
	drainer := drain.New(drain.Config{Drainer: e, Streams: d.streams, Queue: q, Kinesis: d, Waker: d, Log: slog.New(slog.DiscardHandler)})
	for {
		if _, err := drainer.Invoke(d.tb.Context(), []byte(drain.SweepEvent)); err != nil {
			d.tb.Fatal(err)
		}
		state, err := q.Inspect(d.tb.Context(), "orders")
		if err != nil {
			d.tb.Fatal(err)
		}
		if state.Depth == 0 && state.Claims == 0 {
			return
		}
	}
}

// Redis is replaced under load in three deployments: bypass the queue, use the new
// Redis, and stop bypassing the queue. No record is lost or left in a Redis.
func TestRedisIsReplacedUnderLoad(t *testing.T) {
	older, newer := redistest.Start(t), redistest.Start(t)
	d := newDeployment(t)
	d.deploy(older.URL, false)
	stop := d.load()
	defer stop()
	d.await(d.accepted, 500)

	d.deploy(older.URL, true)
	d.await(d.direct, 100)
	d.empty(older.URL)

	d.deploy(newer.URL, true)
	d.await(d.direct, 100)

	d.deploy(newer.URL, false)
	d.await(d.accepted, 500)
	stop()
	d.empty(newer.URL)
	d.empty(older.URL)

	arrived := maps.Clone(d.tap)
	for _, body := range s3test.Objects(t, d.archive) {
		arrived[strings.TrimSuffix(body, "\n")]++
	}
	if diff := cmp.Diff(d.accepted, arrived); diff != "" {
		t.Errorf("bodies accepted and arrived (-want +got):\n%s", diff)
	}
	if len(d.tap) < 500 || len(d.direct) < 200 {
		t.Errorf("%d records on the tap and %d direct records, want both ways used", len(d.tap), len(d.direct))
	}
	for _, server := range []*redistest.Server{older, newer} {
		options, err := redis.ParseURL(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		client := redis.NewClient(options)
		defer func() { _ = client.Close() }()
		for _, kind := range []string{"list", "zset"} {
			if keys, _, err := client.ScanType(t.Context(), 0, "*", 1000, kind).Result(); err != nil || len(keys) > 0 {
				t.Errorf("keys of type %s left in Redis: %q, %v", kind, keys, err)
			}
		}
	}
}
