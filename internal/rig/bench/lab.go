package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/awstest"
	"github.com/data-sink/data-sink/internal/rig/redistest"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// deployment and orders are the names of the deployment and of its first stream.
const (
	deployment = "datasink"
	orders     = "orders"
)

// lab is what the rows share: a real Redis, the local AWS behind an endpoint that
// answers PutRecords and PutRecordBatch immediately, and the bootstraps.
type lab struct {
	short bool
	// ctx has a deadline, as the context of an invocation has.
	ctx  context.Context
	stop context.CancelFunc
	// dir is a temporary folder.
	dir   string
	redis *redistest.Server
	// raw is a client that bypasses package queue.
	raw *redis.Client
	// aws has a bucket, the secrets and the queue of wake-ups. endpoint is in front
	// of it.
	aws      *awstest.Server
	endpoint *endpoint
	// bootstraps builds the bootstraps once and returns their folder.
	bootstraps func() (string, error)
	// notes is printed before the report.
	notes strings.Builder
}

// redisPassword and clientsSecret are the values of the bootstraps' secrets.
const (
	redisPassword = "Zecret"
	clientsSecret = `{"datasink":"hunter2"}`
)

func newLab(short bool) (_ *lab, err error) {
	l := &lab{short: short, endpoint: new(endpoint)}
	l.ctx, l.stop = invocation(24 * 3600)
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return nil, fmt.Errorf("creating a folder: %w", err)
	}
	l.bootstraps = sync.OnceValues(func() (string, error) {
		dir := filepath.Join(l.dir, "bootstraps")
		return dir, buildBootstraps(dir)
	})
	if l.redis, err = redistest.Run(filepath.Join(l.dir, "redis"), "--requirepass", redisPassword); err != nil {
		return nil, err
	}
	l.raw = redis.NewClient(&redis.Options{Network: "unix", Addr: l.redis.Socket, Password: redisPassword, ReadTimeout: time.Minute})
	l.aws, err = awstest.Start(awstest.Options{
		Dir: filepath.Join(l.dir, "aws"), Buckets: []string{"archive"}, Queues: []string{"/wake"}, Deployment: deployment, Streams: streams(1),
		Secrets: map[string]string{"clients": clientsSecret, "redis": redisPassword},
		Wrap: func(services http.Handler) http.Handler {
			l.endpoint.aws = services
			return l.endpoint
		},
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (l *lab) close() {
	l.stop()
	if l.aws != nil {
		l.aws.Close()
	}
	if l.redis != nil {
		l.redis.Remove()
	}
	_ = os.RemoveAll(l.dir)
}

// few returns n, or a hundredth of it in a short run.
func (l *lab) few(n int) int {
	if l.short {
		return max(1, n/100)
	}
	return n
}

// config returns the configuration of clients of the local AWS, with enough idle
// connections for concurrent callers.
func (l *lab) config() aws.Config {
	client := awshttp.NewBuildableClient().WithTimeout(10 * time.Second).WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = 32
	})
	return aws.Config{
		Region: cloud.Region, BaseEndpoint: &l.aws.URL, HTTPClient: client,
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	}
}

// streams returns a set of n streams. The first one is orders.
func streams(n int) *stream.Set {
	names := make([]string, n)
	for i := range names {
		names[i] = `{"name":"` + streamName(i) + `"}`
	}
	set, err := stream.Parse([]byte(`{"streams":[` + strings.Join(names, ",") + `]}`))
	if err != nil {
		panic(err) // the names are valid
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

// fill pushes n values to a list of Redis. It bypasses package queue, which makes it
// about twenty times as fast.
func (l *lab) fill(key string, n int, value func(i int) []byte) error {
	const most, mostBytes = 1000, 4 << 20 // limits of one command
	for i := 0; i < n; {
		var values []any
		for bytes := 0; i < n && len(values) < most && bytes < mostBytes; i++ {
			v := value(i)
			values = append(values, v)
			bytes += len(v)
		}
		if err := l.raw.RPush(l.ctx, key, values...).Err(); err != nil {
			return fmt.Errorf("filling %s: %w", key, err)
		}
	}
	return nil
}

// empty deletes everything in Redis. If key is not empty, it first checks that the
// list at key is empty.
func (l *lab) empty(key string) error {
	if key != "" {
		left, err := l.raw.LLen(l.ctx, key).Result()
		if err != nil {
			return fmt.Errorf("counting the records that are left: %w", err)
		}
		if left != 0 {
			return fmt.Errorf("%d records are left in %s", left, key)
		}
	}
	return l.raw.FlushAll(l.ctx).Err()
}

// envelopeOf returns the envelope of a record with a body.
func envelopeOf(stream string, body []byte) []byte {
	e, err := envelope.Encode(envelope.Record{Stream: stream, ReceivedAt: time.Now(), ID: newID(), Body: body})
	if err != nil {
		panic(err) // encoding to memory does not fail
	}
	return e
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

var errUnexpected = errors.New("unexpected answer")
