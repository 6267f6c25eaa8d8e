package main

import (
	"fmt"
	"strings"

	"github.com/data-sink/data-sink/internal/operate/capacity/bill"
)

// node is a type of cache node.
//
// Memory: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Redis.html
// Bandwidth (baseline, each direction): https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html
type node struct {
	name string
	gib  float64
	// core is the share of one core that the main thread of Redis can use permanently: a
	// t4g earns credits for a fifth of its two vCPUs. Scripts run only on this thread.
	core float64
	gbps float64
}

// nodes are the types of the model, from small to large.
var nodes = []node{
	{"cache.t4g.small", 1.37, 0.4, 0.128},
	{"cache.t4g.medium", 3.09, 0.4, 0.256},
	{"cache.m7g.large", 6.38, 1, 0.937},
	{"cache.r7g.large", 13.07, 1, 0.937},
	{"cache.r7g.xlarge", 26.32, 1, 1.876},
	{"cache.r7g.2xlarge", 52.82, 1, 3.75},
	{"cache.r7g.4xlarge", 105.81, 1, 7.5},
	{"cache.r7g.8xlarge", 209.55, 1, 15},
	{"cache.r7g.16xlarge", 419.09, 1, 30},
}

func findNode(name string) (node, error) {
	names := make([]string, len(nodes))
	for i, n := range nodes {
		if n.name == name {
			return n, nil
		}
		names[i] = n.name
	}
	return node{}, fmt.Errorf("-node %q: want auto or one of %s", name, strings.Join(names, ", "))
}

// usable returns the memory for queues, in bytes: the parameter
// reserved-memory-percent reserves the rest for replication and snapshots.
func (n node) usable() float64 { return n.gib * bill.GiB * (1 - redisReserved) }

// bytesPerSecond returns the rate at which the node can send permanently.
func (n node) bytesPerSecond() float64 { return n.gbps * 1e9 / 8 }
