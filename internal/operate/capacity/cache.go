package main

import (
	"cmp"
	"math"
	"slices"

	"github.com/data-sink/data-sink/internal/operate/capacity/bill"
	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// Cache is the Redis of the queue.
type Cache struct {
	Node   string `json:"node"`
	Shards int    `json:"shards"`
	Nodes  int    `json:"nodes"`
	// StreamMax is the largest number of records/s of one stream: its queue is in one
	// slot and therefore on one node.
	StreamMax float64 `json:"streamMax"`
	// ShardMax is the number of records/s that one shard carries, for all its streams.
	ShardMax float64 `json:"shardMax"`
	// RecordBytes is the memory of a queued record.
	RecordBytes float64 `json:"recordBytes"`
	// KeyMiB is the memory of the idempotency keys of all streams.
	KeyMiB float64 `json:"keyMib,omitempty"`
	// BacklogMinutes is the time for which the fullest shard can store all its records.
	BacklogMinutes float64 `json:"backlogMinutes"`
	Dollars        float64 `json:"dollars"`
}

// keys returns the memory of the idempotency keys of a stream with that share of the
// requests, in bytes. Redis keeps two generations of keys, each for the idempotency window
// or until it is full.
func (l Load) keys(share float64) float64 {
	if !l.Keys {
		return 0
	}
	window := float64(defaults.IdempotencyMinutes * 60)
	return 2 * min(rememberedKeys, l.peak()/float64(l.Batch)*share*window) * keyMemory
}

// shardKeys returns the memory of the idempotency keys on the shard that has the most.
func (l Load) shardKeys(shards int) float64 {
	busiest, other := l.shares()
	if shards == 1 {
		return l.overStreams(l.keys)
	}
	most := l.keys(busiest)
	if other > 0 {
		most = max(most, l.fullest(shards)/other*l.keys(other))
	}
	return most
}

// carries returns the number of records a second that one of the shards can accept and
// deliver permanently, and store for the required minutes beside idempotency keys.
func (l Load) carries(n node, shards int) float64 {
	most := n.core / redisSeconds.at(l.Size)
	// Each record is sent to every replica and to a drainer, and received once.
	most = min(most, n.bytesPerSecond()/(l.queued()*float64(1+l.Replicas)))
	if l.BacklogMinutes > 0 {
		room := max(0, n.usable()-l.shardKeys(shards))
		most = min(most, room/(l.queued()*redisMemory)/(l.BacklogMinutes*60))
	}
	return most
}

// fullest returns the share of all records on the fullest shard, without the shard of
// the busiest stream if one stream is busier than the others. The hash of its name
// assigns a stream to a shard: of m streams on s shards, the fullest shard has about
// √(2·m/s·ln s) more than the mean. A few streams can have names that put each of them
// on a shard of its own.
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

// shardsOf returns the number of shards of that node type that a load needs, and whether
// they are enough: they are not if one stream exceeds what one shard carries.
func (l Load) shardsOf(n node) (shards int, enough bool) {
	busiest, _ := l.shares()
	for shards = 1; ; shards++ {
		most := l.carries(n, shards) * (1 + 1e-9)
		enough = l.peak()*busiest <= most
		switch {
		case l.peak()*l.fullest(shards) <= most:
			return shards, enough
		case shards == maxSetting("cacheShards"), !enough && l.Streams <= fewStreams && shards >= l.Streams:
			return shards, false
		}
	}
}

// fewStreams is the number of streams up to which names can be chosen by hand.
const fewStreams = 16

// newCache returns the cheapest cache that is sufficient, else the largest.
func newCache(l Load) Cache {
	if l.stack().Serverless() {
		return l.serverlessCache()
	}
	candidates := nodes
	if n, err := findNode(l.Node); err == nil {
		candidates = []node{n}
	}
	if l.oversize() {
		return l.cacheOf(candidates[0], 1)
	}
	var sufficient []Cache
	for _, n := range candidates {
		if shards, enough := l.shardsOf(n); enough {
			sufficient = append(sufficient, l.cacheOf(n, shards))
		}
	}
	if len(sufficient) > 0 {
		return slices.MinFunc(sufficient, func(a, b Cache) int { return cmp.Compare(a.Dollars, b.Dollars) })
	}
	most := slices.MaxFunc(candidates, func(a, b node) int { return cmp.Compare(l.carries(a, l.Streams), l.carries(b, l.Streams)) })
	shards, _ := l.shardsOf(most)
	return l.cacheOf(most, shards)
}

func (l Load) cacheOf(n node, shards int) Cache {
	c := Cache{
		Node: n.name, Shards: shards, Nodes: shards * (1 + l.Replicas),
		ShardMax: l.carries(n, shards), RecordBytes: l.queued() * redisMemory, KeyMiB: l.overStreams(l.keys) / (1 << 20),
	}
	for _, each := range nodes {
		c.StreamMax = max(c.StreamMax, l.carries(each, l.Streams))
	}
	busiest, _ := l.shares()
	c.BacklogMinutes = max(0, n.usable()-l.shardKeys(shards)) / (c.RecordBytes * l.peak() * max(busiest, l.fullest(shards))) / 60
	c.Dollars = float64(c.Nodes) * bill.NodeHour[n.name] * bill.MonthHours
	if !l.oversize() {
		// Functions and nodes are in two zones: half of the data that is pushed and
		// claimed crosses between them.
		c.Dollars += 2 * l.Rate * bill.MonthSeconds * l.queued() / bill.GiB / settings.Zones * bill.CrossZoneGiB
	}
	return c
}

// node returns the type of the nodes.
func (c Cache) node() node {
	n, _ := findNode(c.Node) // the name is one of the table
	return n
}
