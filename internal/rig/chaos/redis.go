package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/rig/redistest"
)

// redisServer is the real Redis behind the functions: one server, or the nodes of a
// cluster.
type redisServer struct {
	// nodes are the nodes of a cluster, or the present primary alone.
	nodes []*redisNode
	// replica is the replica of the primary, which it follows through the relay
	// replication; nil without one.
	replica     *redisNode
	replication *relay
	// suite is the suite's own connection to the primary; nil with a cluster.
	suite *relay
	// url is where the suite reaches Redis.
	url string
	// queue reaches the queues directly, without any link.
	queue *queue.Queue
	// owners are the indices of the nodes that own moved slots.
	owners map[int]int
}

// redisNode is a server and a client of it that uses no link.
type redisNode struct {
	*redistest.Server
	client *redis.Client
}

func newRedisNode(s *redistest.Server) *redisNode {
	return &redisNode{Server: s, client: redis.NewClient(&redis.Options{Network: "unix", Addr: s.Socket})}
}

func (n *redisNode) close() {
	_ = n.client.Close()
	n.Remove()
}

// startRedis starts a server, with or without a replica, or a cluster. If there will be a
// verdict, a server syncs every write to its append-only file before it replies, so
// that it can be killed without loss.
func startRedis(ctx context.Context, dir string, set settings) (*redisServer, error) {
	args := []string{"--maxmemory-policy", "noeviction", "--repl-diskless-sync-delay", "0"}
	if !set.unjudged {
		args = append(args, "--appendonly", "yes", "--appendfsync", "always")
	}
	r := &redisServer{owners: make(map[int]int)}
	start := r.startServer
	if set.cluster {
		start = r.startCluster
	}
	err := start(filepath.Join(dir, "primary"), args)
	if err == nil && set.replica {
		err = r.startReplica(ctx, filepath.Join(dir, "replica"), args)
	}
	if err == nil {
		r.queue, err = queue.Open(queue.Options{Deployment: deployment, URL: r.url, PushTimeout: 5 * time.Second})
	}
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *redisServer) startServer(dir string, args []string) error {
	node, err := runNode(dir, args)
	if err != nil {
		return err
	}
	r.nodes = []*redisNode{node}
	r.suite, err = startRelay(newWay(node.Addr), nil)
	if err != nil {
		return err
	}
	r.url = r.suite.redisURL()
	return nil
}

func (r *redisServer) startCluster(dir string, args []string) error {
	// As in ElastiCache, the other nodes keep serving when one is down.
	c, err := redistest.RunCluster(dir, redistest.ClusterOptions{Args: append(args, "--cluster-require-full-coverage", "no")})
	if err != nil {
		return err
	}
	for _, server := range c.Nodes {
		r.nodes = append(r.nodes, newRedisNode(server))
	}
	r.url = c.URL
	return nil
}

func (r *redisServer) startReplica(ctx context.Context, dir string, args []string) error {
	var err error
	if r.replication, err = startRelay(newWay(r.nodes[0].Addr), nil); err != nil {
		return err
	}
	if r.replica, err = runNode(dir, args); err != nil {
		return err
	}
	if err := r.replica.follow(ctx, r.replication.addr()); err != nil {
		return err
	}
	return r.nodes[0].awaitReplica(ctx)
}

func runNode(dir string, args []string) (*redisNode, error) {
	server, err := redistest.Run(dir, args...)
	if err != nil {
		return nil, err
	}
	return newRedisNode(server), nil
}

func (r *redisServer) addrs() []string {
	var addrs []string
	for _, node := range r.nodes {
		addrs = append(addrs, node.Addr)
	}
	return addrs
}

// any returns a random node.
func (r *redisServer) any(random *rand.Rand) *redisNode {
	return r.nodes[random.IntN(len(r.nodes))]
}

func (r *redisServer) close() {
	if r.queue != nil {
		_ = r.queue.Close()
	}
	for _, node := range r.nodes {
		node.close()
	}
	if r.replica != nil {
		r.replica.close()
	}
	for _, relay := range []*relay{r.replication, r.suite} {
		if relay != nil {
			relay.close()
		}
	}
}

// restart starts a node again after a kill.
func (r *redisServer) restart(ctx context.Context, node *redisNode) error {
	if err := node.Restart(); err != nil {
		return err
	}
	if len(r.nodes) == 1 {
		return nil
	}
	// A node needs some time to rejoin its cluster.
	if !within(ctx, time.Minute, func() bool {
		info, err := node.client.ClusterInfo(ctx).Result()
		return err == nil && strings.Contains(info, "cluster_state:ok")
	}) {
		return errors.Join(errors.New("a node did not rejoin its cluster"), ctx.Err())
	}
	return nil
}

// limitMemory limits the memory of every node to more bytes above its present use;
// 0 removes the limit.
func (r *redisServer) limitMemory(ctx context.Context, more int) error {
	for _, n := range r.nodes {
		limit := 0
		if more > 0 {
			used, err := n.usedMemory(ctx)
			if err != nil {
				return err
			}
			limit = used + more
		}
		if err := n.client.ConfigSet(ctx, "maxmemory", strconv.Itoa(limit)).Err(); err != nil {
			return fmt.Errorf("limiting the memory of Redis: %w", err)
		}
	}
	return nil
}

// usedMemory returns the number of bytes that count against maxmemory.
func (n *redisNode) usedMemory(ctx context.Context) (int, error) {
	info, err := n.client.InfoMap(ctx, "memory").Result()
	if err != nil {
		return 0, fmt.Errorf("reading the memory use of Redis: %w", err)
	}
	used, err := strconv.Atoi(info["Memory"]["used_memory"])
	if err != nil {
		return 0, fmt.Errorf("reading the memory use of Redis: %w", err)
	}
	return used, nil
}
