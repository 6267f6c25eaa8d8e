package queue_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/rig/redistest"
	"github.com/redis/go-redis/v9"
)

// server is shared by the tests of this package; each test has its own deployment.
var server *redistest.Server

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "queue")
	if err == nil {
		server, err = redistest.Run(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	server.Remove()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func open(t testing.TB, o queue.Options) *queue.Queue {
	t.Helper()
	if o.Deployment == "" {
		o.Deployment = deployment(t)
	}
	if o.URL == "" {
		o.URL = "unix://" + server.Socket
	}
	if o.PushTimeout == 0 {
		o.PushTimeout = 10 * time.Second // for a busy machine
	}
	if o.WakeInterval == 0 {
		o.WakeInterval = time.Hour // so that the wake key does not expire during a test
	}
	q, err := queue.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

// deployment returns a name for the deployment of the test. It is the name of the
// test's temporary folder, so that a test that runs again has another one.
func deployment(t testing.TB) string {
	t.Helper()
	return filepath.Base(filepath.Dir(t.TempDir()))
}

// bed is a queue with a client that sees its Redis keys.
type bed struct {
	*queue.Queue
	options queue.Options
	admin   redis.UniversalClient
}

// reopen returns the queues of another deployment or with other options, on the
// same Redis.
func (b bed) reopen(t *testing.T, change func(*queue.Options)) bed {
	t.Helper()
	o := b.options
	change(&o)
	return bed{Queue: open(t, o), options: o, admin: b.admin}
}

// kinds are the kinds of Redis on which the scripts must do the same. Each returns
// the options of a queue and an administrator's client.
var kinds = map[string]func(t *testing.T) (queue.Options, redis.UniversalClient){
	"one node": func(*testing.T) (queue.Options, redis.UniversalClient) {
		return queue.Options{}, redis.NewClient(&redis.Options{Network: "unix", Addr: server.Socket})
	},
	// As in a serverless cache: only the ACL, no default user, and a policy that
	// evicts keys with a TTL.
	"user with only the ACL": func(t *testing.T) (queue.Options, redis.UniversalClient) {
		s := redistest.Start(t, "--maxmemory-policy", "volatile-lru")
		restrict(t, redis.NewClient(&redis.Options{Addr: s.Addr}), "admin", "~* &* +@all")
		admin := redis.NewClient(&redis.Options{Addr: s.Addr, Username: "admin", Password: "secret"})
		if err := admin.Do(t.Context(), "acl", "setuser", "default", "off").Err(); err != nil {
			t.Fatal(err)
		}
		return queue.Options{URL: s.URL, Username: restricted, Password: "secret"}, admin
	},
	"cluster, user with only the ACL": func(t *testing.T) (queue.Options, redis.UniversalClient) {
		c := redistest.StartCluster(t, redistest.ClusterOptions{})
		return queue.Options{URL: c.URL, Username: restricted, Password: "secret"}, clusterClient(c, nil, "")
	},
	"cluster": func(t *testing.T) (queue.Options, redis.UniversalClient) {
		c := redistest.StartCluster(t, redistest.ClusterOptions{})
		return queue.Options{URL: c.URL}, clusterClient(c, nil, "")
	},
	"cluster over TLS with a password": func(t *testing.T) (queue.Options, redis.UniversalClient) {
		cert, key, ca, err := redistest.Certificate(t.TempDir(), "localhost")
		if err != nil {
			t.Fatal(err)
		}
		c := redistest.StartCluster(t, redistest.ClusterOptions{TLS: true, CertFile: cert, KeyFile: key, CAFile: ca, Password: "secret"})
		return queue.Options{URL: c.URL, TLS: c.TLS, Password: "secret"}, clusterClient(c, c.TLS, "secret")
	},
	"embedded": func(t *testing.T) (queue.Options, redis.UniversalClient) {
		m := miniredis.RunT(t)
		return queue.Options{URL: "redis://" + m.Addr()}, redis.NewClient(&redis.Options{Addr: m.Addr()})
	},
}

func clusterClient(c *redistest.Cluster, tls *tls.Config, password string) redis.UniversalClient {
	addrs := make([]string, len(c.Nodes))
	for i, node := range c.Nodes {
		addrs[i] = node.Addr
	}
	return redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, TLSConfig: tls, Password: password})
}

// restricted is replaced by the user of a test that has only the ACL of the test's
// deployment.
const restricted = "restricted"

// restrict makes a user with the password "secret" that may do only what the rules
// say, and returns its name.
func restrict(t *testing.T, admin redis.UniversalClient, name, rules string) string {
	t.Helper()
	args := []any{"acl", "setuser", name, "reset", "on", ">secret"}
	for rule := range strings.FieldsSeq(rules) {
		args = append(args, rule)
	}
	each := func(ctx context.Context, node *redis.Client) error { return node.Do(ctx, args...).Err() }
	var err error
	switch admin := admin.(type) {
	case *redis.ClusterClient:
		err = admin.ForEachMaster(t.Context(), each)
	case *redis.Client:
		err = each(t.Context(), admin)
	}
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// denied returns what Redis has refused to users for lack of a permission.
func denied(t *testing.T, admin redis.UniversalClient) (entries []string) {
	t.Helper()
	var mu sync.Mutex
	each := func(ctx context.Context, node *redis.Client) error {
		log, err := node.ACLLog(ctx, 100).Result()
		mu.Lock()
		defer mu.Unlock()
		for _, entry := range log {
			entries = append(entries, fmt.Sprintf("%s %s %s", entry.Username, entry.Reason, entry.Object))
		}
		return err
	}
	var err error
	switch admin := admin.(type) {
	case *redis.ClusterClient:
		err = admin.ForEachMaster(context.WithoutCancel(t.Context()), each)
	case *redis.Client:
		err = each(context.WithoutCancel(t.Context()), admin)
	}
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// onEachKind runs a test on each kind of Redis.
func onEachKind(t *testing.T, tests map[string]func(*testing.T, bed)) {
	for kind, start := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			o, admin := start(t)
			t.Cleanup(func() {
				if o.Username == restricted {
					if entries := denied(t, admin); len(entries) > 0 {
						t.Errorf("Redis refused: %q", entries)
					}
				}
				_ = admin.Close()
			})
			for name, test := range tests {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					o := o
					o.Deployment = deployment(t)
					if o.Username == restricted {
						o.Username = restrict(t, admin, o.Deployment, queue.ACL(o.Deployment))
					}
					test(t, bed{Queue: open(t, o), options: o, admin: admin})
				})
			}
		})
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	onEachKind(t, map[string]func(*testing.T, bed){
		"push counts and wakes":           testPush,
		"push over the limit":             testPushOverTheLimit,
		"part":                            testPart,
		"part over the limit":             testPartOverTheLimit,
		"part and push agree":             testPartAgreesWithPush,
		"key replayed":                    testKeyReplayed,
		"key reused":                      testKeyReused,
		"key continued":                   testKeyContinued,
		"key forgotten between parts":     testKeyForgottenBetweenParts,
		"key with a gap":                  testKeyWithAGap,
		"key not remembered when refused": testKeyNotRememberedWhenRefused,
		"key by many at once":             testKeyByManyAtOnce,
		"generations by number":           testGenerationsByNumber,
		"claims in order":                 testClaimOrder,
		"limits of a claim":               testClaimLimits,
		"claim repeated":                  testClaimRepeated,
		"claim of 1,203 and back":         testLargeClaim,
		"claims by many":                  testConcurrentClaims,
		"ack":                             testAck,
		"release":                         testRelease,
		"reclaim":                         testReclaim,
		"recover":                         testRecover,
		"state":                           testState,
		"state of a large queue":          testLargeState,
		"lost records":                    testLostRecords,
		"counter of accepted set right":   testAcceptedSetRight,
		"counter of accepted kept":        testAcceptedKept,
		"scan":                            testScan,
		"permissions suffice":             testPermissionsSuffice,
	})
}

func push(t testing.TB, q *queue.Queue, stream string, envelopes ...string) {
	t.Helper()
	for _, e := range envelopes {
		if _, err := q.Push(t.Context(), stream, []byte(e), 0); err != nil {
			t.Fatal(err)
		}
	}
}

func claim(t testing.TB, q *queue.Queue, id string, records, bytes int) queue.Claim {
	t.Helper()
	return claimOf(t, q, "orders", id, records, bytes)
}

func claimOf(t testing.TB, q *queue.Queue, stream, id string, records, bytes int) queue.Claim {
	t.Helper()
	c, err := q.Claim(t.Context(), stream, id, time.Hour, records, bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func inspect(t testing.TB, q *queue.Queue) queue.State {
	t.Helper()
	s, err := q.Inspect(context.WithoutCancel(t.Context()), "orders")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func contents(c queue.Claim) []string {
	all := make([]string, len(c.Envelopes))
	for i, e := range c.Envelopes {
		all[i] = string(e)
	}
	return all
}

func isFull(err error) bool { return errors.Is(err, queue.ErrBacklogFull) }

func sized(n int) string { return strings.Repeat("x", n) }
