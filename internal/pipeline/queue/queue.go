// Package queue keeps records in Redis between ingest and the drainers: one list
// per stream, from which a drainer leases batches, called claims.
//
// An envelope is at every moment in exactly one place: in its queue, or in one
// claim. Each transition is one Lua script, atomic and by the server's clock. A
// claim whose drainer died goes back to the head of the queue when its lease has
// run out, so a record can be delivered twice, and is never lost.
//
// It works with Redis 6.2 or later and Valkey, on one node or on a cluster. All
// keys of a stream carry the stream's name as hash tag and so lie in one slot.
package queue

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Options says how to reach Redis and how records are pushed.
type Options struct {
	// Deployment is the prefix of all keys, so that deployments can share a Redis.
	Deployment string
	// URL is redis://host:port, rediss://host:port or unix:///path. With the
	// parameter cluster=true the host is that of any node of a cluster.
	URL string
	// Username and Password are the credentials; both may be empty.
	Username, Password string
	// TLS is the configuration for rediss; nil for the system's roots.
	TLS *tls.Config
	// PushTimeout bounds a Push, connection included. Default 250 ms.
	PushTimeout time.Duration
	// WaitReplicas is how many replicas must have a record before Push
	// succeeds; 0 waits for none.
	WaitReplicas int
	// WakeInterval is the least time between two wake-ups of a stream. Default 1 s.
	WakeInterval time.Duration
}

// Queue is the queues of one deployment. It is safe for concurrent use.
type Queue struct {
	client  redis.UniversalClient
	options Options
}

// ErrBacklogFull says that a record would take its stream's backlog over its bound.
var ErrBacklogFull = errors.New("the backlog is full")

// Open returns the queues of a deployment. It does not connect: the first
// command does, and each command reconnects when it must.
func Open(o Options) (*Queue, error) {
	if o.PushTimeout <= 0 {
		o.PushTimeout = 250 * time.Millisecond
	}
	if o.WakeInterval <= 0 {
		o.WakeInterval = time.Second
	}
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

// go-redis would write to standard error by itself; every error it has reaches
// the caller anyway.
func init() { logging.Disable() }

// parseURL takes the cluster parameter, which go-redis does not know, off a URL.
func parseURL(raw string) (address string, cluster bool, err error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", false, errors.New("opening the queue: the Redis URL does not parse")
	}
	query := u.Query()
	switch value := query.Get("cluster"); value {
	case "":
	case "true", "false":
		cluster = value == "true"
	default:
		return "", false, fmt.Errorf("opening the queue: cluster=%q in the Redis URL, want true or false", value)
	}
	query.Del("cluster")
	u.RawQuery = query.Encode()
	return u.String(), cluster, nil
}

// readTimeout bounds the wait for an answer where no context ends earlier.
const readTimeout = 3 * time.Second

func newClient(address string, cluster bool, o Options) (redis.UniversalClient, error) {
	if cluster {
		c, err := redis.ParseClusterURL(address)
		if err != nil {
			return nil, err
		}
		c.Username, c.Password = o.Username, o.Password
		c.TLSConfig = tlsConfig(c.TLSConfig, o.TLS)
		c.ReadTimeout = max(readTimeout, o.PushTimeout)
		c.ContextTimeoutEnabled = true
		c.DisableIdentity = true
		c.DialerRetries = 1
		c.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
		return redis.NewClusterClient(c), nil
	}
	c, err := redis.ParseURL(address)
	if err != nil {
		return nil, err
	}
	c.Username, c.Password = o.Username, o.Password
	c.TLSConfig = tlsConfig(c.TLSConfig, o.TLS)
	c.ReadTimeout = max(readTimeout, o.PushTimeout)
	c.ContextTimeoutEnabled = true
	c.DisableIdentity = true
	c.MaxRetries = -1
	c.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(c), nil
}

// tlsConfig keeps a plain connection plain. The server's name is that of each
// node's own address, which in a cluster is not that of the URL.
func tlsConfig(fromURL, given *tls.Config) *tls.Config {
	if fromURL == nil {
		return nil
	}
	if given == nil {
		return &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return given.Clone()
}

// ParseCredentials reads a secret: a password as it stands, or a JSON object
// with password and, if Redis wants one, username.
func ParseCredentials(secret string) (username, password string, err error) {
	if !strings.HasPrefix(strings.TrimSpace(secret), "{") {
		return "", secret, nil
	}
	var credentials struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	// The decoder's error would repeat parts of the secret.
	if json.Unmarshal([]byte(secret), &credentials) != nil {
		return "", "", errors.New("the Redis secret is not a JSON object of strings")
	}
	if credentials.Password == "" {
		return "", "", errors.New("the Redis secret has no password")
	}
	return credentials.Username, credentials.Password, nil
}

// Close closes all connections.
func (q *Queue) Close() error {
	if err := q.client.Close(); err != nil {
		return fmt.Errorf("closing the queue: %w", err)
	}
	return nil
}

// Connect opens the connection that the next command needs, of a cluster one to
// each node that may own a stream: a handshake of TLS would take much of a
// push's time. It reports a node that does not answer.
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

// keys of one stream. The braces are the hash tag.
type keys struct{ queue, claims, stats, wake, claim string }

func (q *Queue) keys(stream string) keys {
	prefix := q.options.Deployment + ":{" + stream + "}:"
	return keys{
		queue: prefix + "queue", claims: prefix + "claims", stats: prefix + "stats",
		wake: prefix + "wake", claim: prefix + "claim:",
	}
}
