// Package queue keeps records in Redis between ingest and the drainers: one list
// per stream, from which drainers lease batches, called claims.
//
// An envelope is at any time in exactly one place: in its queue or in one claim.
// Each transition is one Lua script, which is atomic and uses the server's clock.
// When a drainer dies, its claims return to the head of the queue as their leases
// expire. A record can therefore be delivered twice, and is never lost. A script
// that Redis stops midway leaves each envelope in a list that Scan finds.
//
// The package works with Redis 6.2 or later and with Valkey, on one node or on a
// cluster. All keys of a stream have the stream's name as hash tag, and so belong
// to one slot.
package queue

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/redis/go-redis/v9"
)

// Options says how to reach Redis and how records are pushed. The defaults of
// PushTimeout, WakeInterval and RememberFor are those of ingest's environment.
type Options struct {
	// Deployment is the prefix of all keys, so that several deployments can share a
	// Redis.
	Deployment string
	// URL is redis://host:port, rediss://host:port or unix:///path. With the
	// parameter cluster=true, the only one, the host is any node of a cluster.
	URL string
	// Username and Password are the credentials; both may be empty.
	Username, Password string
	// Secret, if set, replaces Username and Password. It returns the password, or a
	// JSON object with password and, if Redis needs one, username. It is called for
	// new connections, at most once a minute, and when Redis refuses the
	// credentials, at most once a second. When it fails, the last credentials are
	// used. It may be called from several goroutines at once.
	Secret func(ctx context.Context) ([]byte, error)
	// TLS is the configuration for rediss; nil uses the roots of the system.
	TLS *tls.Config
	// PushTimeout limits a push, including the connection.
	PushTimeout time.Duration
	// WaitReplicas is the number of replicas that must have a record before a push
	// succeeds.
	WaitReplicas int
	// WakeInterval is the shortest time between two wake-ups of a stream.
	WakeInterval time.Duration
	// RememberFor is the time for which an idempotency key is remembered.
	RememberFor time.Duration
	// CountersSettle is the time that functions of an older version may still run
	// beside this one; see Reconcile. Default 15 min.
	CountersSettle time.Duration
	// IdleTimeout is the time after which an idle connection is closed instead of
	// used again. Default 90 s: the network drops connections of frozen functions
	// without notice, within minutes.
	IdleTimeout time.Duration
}

// Queue is the queues of one deployment. It is safe for concurrent use.
type Queue struct {
	client  redis.UniversalClient
	options Options
}

// Open returns the queues of a deployment. It does not connect: the first command
// does, and each command reconnects when necessary.
func Open(o Options) (*Queue, error) {
	ingest := env.Defaults(env.ParseIngest)
	o.PushTimeout = cmp.Or(o.PushTimeout, ingest.PushTimeout)
	o.WakeInterval = cmp.Or(o.WakeInterval, ingest.Wake.Interval)
	o.RememberFor = cmp.Or(o.RememberFor, ingest.IdempotencyWindow)
	o.CountersSettle = cmp.Or(o.CountersSettle, 15*time.Minute)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, 90*time.Second)
	address, cluster, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	client, err := newClient(address, cluster, o)
	if err != nil {
		// go-redis repeats the URL in its errors.
		return nil, errors.New("opening the queue: the Redis URL is malformed")
	}
	return &Queue{client: client, options: o}, nil
}

// Close closes all connections.
func (q *Queue) Close() error {
	if err := q.client.Close(); err != nil {
		return fmt.Errorf("closing the queue: %w", err)
	}
	return nil
}

// Connect opens the connection that the next command needs. On a cluster it opens
// one to each node that may own a stream, because a TLS handshake would take much
// of a push's time. It returns an error when a node does not answer.
func (q *Queue) Connect(ctx context.Context) error {
	cluster, ok := q.client.(*redis.ClusterClient)
	if !ok {
		return q.Ping(ctx)
	}
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		return node.Ping(ctx).Err()
	})
	if err != nil {
		return fmt.Errorf("connecting to the nodes of Redis: %w", err)
	}
	return nil
}

// Ping reports whether Redis answers.
func (q *Queue) Ping(ctx context.Context) error {
	if err := q.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("pinging Redis: %w", err)
	}
	return nil
}

// keys are the Redis keys of one stream. The braces mark the hash tag. The list of
// a claim is claim and the claim's id.
type keys struct{ queue, claims, stats, wake, claim, once, onceOld string }

func (q *Queue) keys(stream string) keys {
	prefix := q.options.Deployment + ":{" + stream + "}:"
	return keys{
		queue: prefix + "queue", claims: prefix + "claims", stats: prefix + "stats", wake: prefix + "wake",
		claim: prefix + "claim:", once: prefix + "once", onceOld: prefix + "once:old",
	}
}
