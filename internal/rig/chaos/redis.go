package chaos

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/rig/redistest"
)

// redisServer is the cache behind the service: a real one, or the nodes of a
// cluster.
type redisServer struct {
	nodes []*redistest.Server
	// queue is the suite's own way to the queues, around all links.
	queue *queue.Queue
	// owners are the nodes of slots that moved, by their positions.
	owners map[int]int
}

// startRedis runs a Redis, or a cluster. A durable one has written a record to its
// file before it answers, and can be killed.
func startRedis(dir string, durable, cluster bool) (*redisServer, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("starting Redis: %w", err)
	}
	args := []string{"--maxmemory-policy", "noeviction"}
	if durable {
		args = append(args, "--appendonly", "yes", "--appendfsync", "always")
	}
	r := &redisServer{owners: make(map[int]int)}
	url := ""
	if cluster {
		// As in ElastiCache: what is there serves, whatever is not.
		c, err := redistest.RunCluster(dir, redistest.ClusterOptions{Args: append(args, "--cluster-require-full-coverage", "no")})
		if err != nil {
			return nil, err
		}
		r.nodes, url = c.Nodes, c.URL
	} else {
		server, err := redistest.Run(dir, args...)
		if err != nil {
			return nil, err
		}
		r.nodes, url = []*redistest.Server{server}, server.URL
	}
	var err error
	if r.queue, err = queue.Open(queue.Options{Deployment: deployment, URL: url, PushTimeout: 5 * time.Second}); err != nil {
		for _, node := range r.nodes {
			node.Remove()
		}
		return nil, err
	}
	return r, nil
}

func (r *redisServer) addrs() []string {
	var addrs []string
	for _, node := range r.nodes {
		addrs = append(addrs, node.Addr)
	}
	return addrs
}

// any is one of the nodes.
func (r *redisServer) any(random *rand.Rand) *redistest.Server {
	return r.nodes[random.IntN(len(r.nodes))]
}

func (r *redisServer) close() {
	_ = r.queue.Close()
	for _, node := range r.nodes {
		node.Remove()
	}
}

// restart brings a node back after it was killed.
func (r *redisServer) restart(ctx context.Context, node *redistest.Server) error {
	if err := node.Restart(); err != nil {
		return err
	}
	if len(r.nodes) == 1 {
		return nil
	}
	// A node takes its time until it serves again.
	if !within(ctx, 20*time.Second, func() bool {
		info, err := do(node, "CLUSTER", "INFO")
		return err == nil && bytes.Contains(info.text, []byte("cluster_state:ok"))
	}) {
		return errors.Join(errors.New("a node does not come back to its cluster"), ctx.Err())
	}
	return nil
}

// do runs a command on a connection of its own.
func do(node *redistest.Server, args ...string) (respValue, error) {
	conn, err := net.DialTimeout("unix", node.Socket, 5*time.Second)
	if err != nil {
		return respValue{}, fmt.Errorf("calling Redis: %w", err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second)) // of a socket: it does
	if _, err := conn.Write(appendCommand(nil, args...)); err != nil {
		return respValue{}, fmt.Errorf("calling Redis: %w", err)
	}
	answer, raw, err := readRESP(bufio.NewReader(conn), nil)
	if err != nil {
		return respValue{}, fmt.Errorf("calling Redis: %w", err)
	}
	if answer.kind == '-' {
		return respValue{}, fmt.Errorf("calling Redis: %s", answer.text)
	}
	if answer.kind == '$' && answer.text == nil { // a long one
		_, text, _ := strings.Cut(string(raw), "\r\n")
		answer.text = []byte(text)
	}
	return answer, nil
}

// limitMemory lets every node use so much more memory than now; 0 for no limit.
func (r *redisServer) limitMemory(more int) error {
	for _, node := range r.nodes {
		most := 0
		if more > 0 {
			used, err := usedMemory(node)
			if err != nil {
				return err
			}
			most = used + more
		}
		if _, err := do(node, "CONFIG", "SET", "maxmemory", strconv.Itoa(most)); err != nil {
			return err
		}
	}
	return nil
}

// usedMemory is what counts against maxmemory, in bytes.
func usedMemory(node *redistest.Server) (int, error) {
	info, err := do(node, "INFO", "memory")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(info.text)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "used_memory:"); ok {
			return strconv.Atoi(value)
		}
	}
	return 0, fmt.Errorf("calling Redis: INFO has no used_memory")
}
