package queue_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/rig/redistest"
	"github.com/redis/go-redis/v9"
)

// After Connect no push opens a connection, whichever node owns its stream.
func TestConnect(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, redistest.ClusterOptions{})
	received := connectionsReceived(t, c.Nodes)
	q := open(t, queue.Options{URL: c.URL, Deployment: deployment(t)})
	if err := q.Connect(t.Context()); err != nil {
		t.Fatalf("Connect = %v", err)
	}
	connected := received()
	for i := range 50 {
		push(t, q, fmt.Sprintf("stream-%d", i), "a")
	}
	if after := received(); after != connected {
		t.Errorf("pushes after Connect opened connections: %s before, %s after", connected, after)
	}

	c.Nodes[2].Kill()
	if err := q.Connect(t.Context()); err == nil {
		t.Error("Connect with a stopped node = nil, want an error")
	}
}

// connectionsReceived returns a function that returns the number of connections
// that each node has accepted so far. The function uses connections that stay open.
func connectionsReceived(t *testing.T, nodes []*redistest.Server) func() string {
	t.Helper()
	count := regexp.MustCompile(`total_connections_received:(\d+)`)
	clients := make([]*redis.Client, len(nodes))
	for i, node := range nodes {
		clients[i] = redis.NewClient(&redis.Options{Addr: node.Addr, PoolSize: 1})
		t.Cleanup(func() { _ = clients[i].Close() })
	}
	return func() string {
		var all string
		for _, client := range clients {
			info, err := client.Info(t.Context(), "stats").Result()
			if err != nil {
				t.Fatalf("reading the statistics of a node: %v", err)
			}
			all += count.FindStringSubmatch(info)[1] + " "
		}
		return all
	}
}
