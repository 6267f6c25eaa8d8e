package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/awstest"
	"github.com/data-sink/data-sink/internal/rig/redistest"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// deployment and orders are the names of everything that is measured.
const (
	deployment = "datasink"
	orders     = "orders"
)

// lab is what the rows share: a real Redis, an endpoint that answers Kinesis and
// Firehose calls at once, one of the other AWS services, and the bootstraps.
type lab struct {
	short bool
	// dir is a temporary folder.
	dir   string
	redis *redistest.Server
	// raw reaches Redis past package queue.
	raw *redis.Client
	// atOnce is the URL of the endpoint for Kinesis and Firehose, and sinks its
	// handler.
	atOnce string
	sinks  *awstest.AtOnce
	// services has the secrets and the queue of wake-ups.
	services *awstest.Server
	// bootstraps returns the folder of the built bootstraps.
	bootstraps func() (string, error)
	// notes is what stands before the report.
	notes strings.Builder

	server *http.Server
}

// redisPassword and clientsSecret are what the bootstraps find in their secrets.
const (
	redisPassword = "Zecret"
	clientsSecret = `{"datasink":"hunter2"}`
)

func newLab(short bool) (_ *lab, err error) {
	l := &lab{short: short, sinks: new(awstest.AtOnce)}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	l.bootstraps = sync.OnceValues(func() (string, error) {
		dir := filepath.Join(l.dir, "bootstraps")
		return dir, buildBootstraps(dir)
	})
	data := filepath.Join(l.dir, "redis")
	if err := os.Mkdir(data, 0o700); err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	if l.redis, err = redistest.Run(data, "--requirepass", redisPassword); err != nil {
		return nil, err
	}
	l.raw = redis.NewClient(&redis.Options{Network: "unix", Addr: l.redis.Socket, Password: redisPassword, ReadTimeout: time.Minute})
	if l.services, err = awstest.Start(awstest.Options{
		Dir: filepath.Join(l.dir, "s3"), Buckets: []string{"archive"}, Queues: []string{"/wake"},
		Secrets: map[string]string{"clients": clientsSecret, "redis": redisPassword},
	}); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the endpoint: %w", err)
	}
	l.atOnce = "http://" + listener.Addr().String()
	l.server = &http.Server{Handler: l.sinks, ReadHeaderTimeout: time.Minute}
	go func() { _ = l.server.Serve(listener) }() // until close
	return l, nil
}

func (l *lab) close() {
	if l.server != nil {
		_ = l.server.Close()
	}
	if l.services != nil {
		l.services.Close()
	}
	if l.redis != nil {
		l.redis.Kill()
	}
	_ = os.RemoveAll(l.dir)
}

// few is n, or less where a pass has only to show that it works.
func (l *lab) few(n int) int {
	if l.short {
		return max(1, n/100)
	}
	return n
}

// aws is the configuration of a client of the endpoint, with a connection for
// each of many callers.
func (l *lab) aws(endpoint string) aws.Config {
	client := awshttp.NewBuildableClient().WithTimeout(10 * time.Second).WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = 32
	})
	return aws.Config{
		Region: "eu-central-1", BaseEndpoint: &endpoint, HTTPClient: client,
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
		}),
	}
}

// streams returns a set of n streams, of which the first is orders.
func streams(n int) *stream.Set {
	names := make([]string, n)
	for i := range names {
		names[i] = `{"name":"` + streamName(i) + `"}`
	}
	set, err := stream.Parse([]byte(`{"streams":[` + strings.Join(names, ",") + `]}`))
	if err != nil {
		panic(err) // the names are in order
	}
	return set
}

func streamName(i int) string {
	if i == 0 {
		return orders
	}
	return fmt.Sprintf("%s-%d", orders, i)
}

func queueKey(stream string) string { return deployment + ":{" + stream + "}:queue" }

// fill puts n values behind one another into a list of Redis. A list of the
// product's is filled past package queue, some twenty times as fast.
func (l *lab) fill(key string, n int, value func(i int) []byte) error {
	const most, mostBytes = 1000, 4 << 20 // of one command
	ctx := context.Background()
	for i := 0; i < n; {
		var values []any
		for bytes := 0; i < n && len(values) < most && bytes < mostBytes; i++ {
			v := value(i)
			values = append(values, v)
			bytes += len(v)
		}
		if err := l.raw.RPush(ctx, key, values...).Err(); err != nil {
			return fmt.Errorf("filling %s: %w", key, err)
		}
	}
	return nil
}

// empty removes everything from Redis, and checks that the list at key, if any,
// was empty.
func (l *lab) empty(key string) error {
	ctx := context.Background()
	if key != "" {
		left, err := l.raw.LLen(ctx, key).Result()
		if err != nil {
			return fmt.Errorf("looking what is left: %w", err)
		}
		if left != 0 {
			return fmt.Errorf("%d records are left in %s", left, key)
		}
	}
	return l.raw.FlushAll(ctx).Err()
}

// envelopeOf returns the envelope of a record with that body.
func envelopeOf(stream string, body []byte) []byte {
	e, err := envelope.Encode(envelope.Record{Stream: stream, ReceivedAt: time.Now(), ID: newID(), Body: body})
	if err != nil {
		panic(err) // writing to memory does not fail
	}
	return e
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

var errUnexpected = errors.New("the answer is not what it should be")
