package queue_test

import (
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/rig/redistest"
	"github.com/redis/go-redis/v9"
)

// Redis, or the network, closes idle connections, and over TLS the client does not
// notice. A push must not use such a connection.
func TestPushAfterTheServerClosedAnIdleConnection(t *testing.T) {
	t.Parallel()
	const timeout = "1" // seconds
	t.Run("one node", func(t *testing.T) {
		t.Parallel()
		s, config := redistest.StartTLS(t, "--timeout", timeout)
		pushAfterIdling(t, queue.Options{URL: s.URL, TLS: config}, s)
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		cert, key, ca, err := redistest.Certificate(t.TempDir(), "localhost")
		if err != nil {
			t.Fatal(err)
		}
		c := redistest.StartCluster(t, redistest.ClusterOptions{
			TLS: true, CertFile: cert, KeyFile: key, CAFile: ca, Args: []string{"--timeout", timeout},
		})
		pushAfterIdling(t, queue.Options{URL: c.URL, TLS: c.TLS}, c.Nodes...)
	})
}

// pushAfterIdling pushes, waits until the nodes have closed the connections, and
// pushes again.
func pushAfterIdling(t *testing.T, o queue.Options, nodes ...*redistest.Server) {
	t.Helper()
	o.IdleTimeout = 100 * time.Millisecond
	q := open(t, o)
	push(t, q, "orders", "x")
	for range 2 {
		for _, node := range nodes {
			awaitNoClients(t, node)
		}
		if _, err := q.Push(t.Context(), "orders", []byte("x"), 0); err != nil {
			t.Errorf("Push after the server closed the idle connection = %v", err)
		}
	}
}

// awaitNoClients waits until a node has no client but the one that asks.
func awaitNoClients(t *testing.T, node *redistest.Server) {
	t.Helper()
	admin := redis.NewClient(&redis.Options{Network: "unix", Addr: node.Socket})
	defer func() { _ = admin.Close() }()
	await(t, "the node to close idle connections", func() bool {
		clients, err := admin.ClientList(t.Context()).Result()
		return err == nil && strings.Count(clients, "\n") == 1
	})
}
