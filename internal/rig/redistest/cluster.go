package redistest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Cluster is a cluster of three masters without replicas.
type Cluster struct {
	// Nodes are the servers. With TLS their Addr accepts only TLS.
	Nodes []*Server
	// URL is the URL of the first node, with cluster=true.
	URL string
	// TLS trusts the cluster's certificate; nil without TLS.
	TLS *tls.Config

	password string
}

// ClusterOptions describes a cluster.
type ClusterOptions struct {
	// TLS makes the nodes accept only TLS, with the certificate and key in the
	// files, for the host name localhost. CAFile signed the certificate.
	TLS                       bool
	CertFile, KeyFile, CAFile string
	// Password is the password of the default user; empty for none.
	Password string
	// Args are further arguments of redis-server, for every node.
	Args []string
}

// StartCluster runs a cluster until the test ends.
func StartCluster(tb testing.TB, o ClusterOptions) *Cluster {
	tb.Helper()
	c, err := RunCluster(tb.TempDir(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Remove)
	return c
}

// RunCluster is StartCluster for programs that are not tests. The caller ends the
// cluster with Remove.
func RunCluster(dir string, o ClusterOptions) (*Cluster, error) {
	c := &Cluster{password: o.Password}
	if o.TLS {
		var err error
		if c.TLS, err = trust(o.CAFile); err != nil {
			return nil, err
		}
	}
	var buses []int
	for i := range 3 {
		node, bus, err := startNode(filepath.Join(dir, strconv.Itoa(i)), o)
		if err != nil {
			c.Remove()
			return nil, err
		}
		c.Nodes, buses = append(c.Nodes, node), append(buses, bus)
	}
	scheme := "redis://"
	if o.TLS {
		scheme = "rediss://"
	}
	c.URL = scheme + c.Nodes[0].Addr + "?cluster=true"
	if err := c.join(buses); err != nil {
		c.Remove()
		return nil, err
	}
	return c, nil
}

// Remove ends all nodes, as Server.Remove does.
func (c *Cluster) Remove() {
	for _, node := range c.Nodes {
		node.Remove()
	}
}

// startNode starts a node, and returns it with the port of its cluster bus.
func startNode(dir string, o ClusterOptions) (node *Server, bus int, err error) {
	port, portErr := freePort()
	bus, busErr := freePort()
	if err := errors.Join(portErr, busErr); err != nil {
		return nil, 0, fmt.Errorf("starting a node: %w", err)
	}
	args := []string{
		"--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus),
		"--cluster-announce-hostname", "localhost", "--cluster-preferred-endpoint-type", "hostname",
	}
	if o.TLS {
		args = append(append(args, "--tls-cluster", "yes"), tlsArgs(port, o.CertFile, o.KeyFile, o.CAFile)...)
	} else {
		args = append(args, "--port", strconv.Itoa(port))
	}
	if o.Password != "" {
		args = append(args, "--requirepass", o.Password)
	}
	node, err = Run(dir, append(args, o.Args...)...)
	if err != nil {
		return nil, 0, err
	}
	node.Addr = net.JoinHostPort("localhost", strconv.Itoa(port))
	return node, bus, nil
}

const slots = 16384

// Owner returns the position of the node that owns a slot in a new cluster with a
// number of nodes.
func Owner(slot, nodes int) int {
	for i := range nodes {
		if slot < (i+1)*slots/nodes {
			return i
		}
	}
	return -1
}

// join assigns the slots to the nodes, makes the nodes meet at the ports of their
// cluster buses, and waits until each node reports a complete cluster.
func (c *Cluster) join(buses []int) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	clients := make([]*redis.Client, len(c.Nodes))
	for i, node := range c.Nodes {
		clients[i] = redis.NewClient(&redis.Options{Network: "unix", Addr: node.Socket, Password: c.password})
		defer func() { _ = clients[i].Close() }()
	}
	for i, node := range c.Nodes {
		first, last := i*slots/len(c.Nodes), (i+1)*slots/len(c.Nodes)-1
		_, port, err := net.SplitHostPort(node.Addr)
		err = errors.Join(
			err,
			clients[i].ClusterAddSlotsRange(ctx, first, last).Err(),
			clients[0].Do(ctx, "cluster", "meet", "127.0.0.1", port, buses[i]).Err(),
		)
		if err != nil {
			return fmt.Errorf("joining the cluster: %w", err)
		}
	}
	for _, client := range clients {
		if err := awaitWhole(ctx, client); err != nil {
			return err
		}
	}
	return nil
}

func awaitWhole(ctx context.Context, node *redis.Client) error {
	for {
		info, err := node.ClusterInfo(ctx).Result()
		if err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_size:3") && strings.Contains(info, "cluster_known_nodes:3") {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the cluster is not complete: %w: %s", errors.Join(err, ctx.Err()), info)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
