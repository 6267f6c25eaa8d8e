package main

import (
	"math"
	"slices"
)

// Cache is the queue's Redis.
type Cache struct {
	Node   string `json:"node"`
	Shards int    `json:"shards"`
	Nodes  int    `json:"nodes"`
	// StreamMax is records/s that one stream can have at most: it lies in one slot,
	// so on one node.
	StreamMax float64 `json:"streamMax"`
	// ShardMax is what one shard can carry, over all its streams.
	ShardMax float64 `json:"shardMax"`
	// RecordBytes is the memory that a queued record takes.
	RecordBytes float64 `json:"recordBytes"`
	// BacklogMinutes is for how long the fullest shard can keep all that comes in.
	BacklogMinutes float64 `json:"backlogMinutes"`
	Dollars        float64 `json:"dollars"`
}

// carries is how many records a second one shard can take in and give out for ever,
// and hold for the wanted minutes.
func (l Load) carries(n node) float64 {
	most := n.core / redisSeconds.at(l.Size)
	// Out to each replica and to a drainer; in is less.
	most = min(most, n.bytesPerSecond()/(l.queued()*float64(1+l.Replicas)))
	if l.BacklogMinutes > 0 {
		most = min(most, n.usable()/(l.queued()*redisMemory)/(l.BacklogMinutes*60))
	}
	return most
}

// fullest is the share of all records that the fullest of some shards has, beside
// the one with the busiest stream where one is busier than the others. Streams go to
// shards by the hash of their names: m of them over s shards leave about
// √(2·m/s·ln s) more than the mean on the fullest. With a shard for each of a few
// streams, names can be chosen so that each has its own.
func (l Load) fullest(shards int) float64 {
	busiest, other := l.shares()
	streams, s := float64(l.Streams), float64(shards)
	if busiest > other {
		streams, s = streams-1, s-1
	}
	switch {
	case s <= 0:
		return 1
	case s >= streams && streams <= fewStreams:
		return other
	}
	mean := streams / s
	return other * max(1, min(streams, mean+math.Sqrt(2*mean*math.Log(s))))
}

// shardsOf is how many shards of that node a load needs, and whether they do: they
// do not where a single stream is more than one carries.
func (l Load) shardsOf(n node) (shards int, enough bool) {
	busiest, _ := l.shares()
	most := l.carries(n) * (1 + 1e-9)
	enough = l.peak()*busiest <= most
	shards = 1
	for l.peak()*l.fullest(shards) > most {
		if shards == cacheShardsMax || !enough && l.Streams <= fewStreams && shards >= l.Streams {
			return shards, false
		}
		shards++
	}
	return shards, enough
}

// fewStreams are as many as somebody would choose names for.
const fewStreams = 16

// newCache takes the cheapest nodes that do. Where none does, those that do most.
func newCache(l Load) Cache {
	candidates := nodes
	if n, err := findNode(l.Node); err == nil {
		candidates = []node{n}
	}
	if l.oversize() {
		return l.cacheOf(candidates[0], 1)
	}
	var best Cache
	found := false
	for _, n := range candidates {
		shards, enough := l.shardsOf(n)
		if c := l.cacheOf(n, shards); enough && (!found || c.Dollars < best.Dollars) {
			best, found = c, true
		}
	}
	if found {
		return best
	}
	most := slices.MaxFunc(candidates, func(a, b node) int {
		switch x, y := l.carries(a), l.carries(b); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	shards, _ := l.shardsOf(most)
	return l.cacheOf(most, shards)
}

func (l Load) cacheOf(n node, shards int) Cache {
	c := Cache{
		Node: n.name, Shards: shards, Nodes: shards * (1 + l.Replicas),
		ShardMax: l.carries(n), RecordBytes: l.queued() * redisMemory,
	}
	for _, each := range nodes {
		c.StreamMax = max(c.StreamMax, l.carries(each))
	}
	busiest, _ := l.shares()
	c.BacklogMinutes = n.usable() / (c.RecordBytes * l.peak() * max(busiest, l.fullest(shards))) / 60
	c.Dollars = float64(c.Nodes) * n.hour * monthHours
	if !l.oversize() {
		// Ingest, drainer and node are in two zones: half of what is pushed and
		// claimed goes from one to the other.
		c.Dollars += 2 * l.Rate * monthSeconds * l.queued() / gib / zones * crossZoneGiB
	}
	return c
}

// node is the type of the cache's nodes.
func (c Cache) node() node {
	n, _ := findNode(c.Node) // it comes from the table
	return n
}
