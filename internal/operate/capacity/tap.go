package main

import (
	"encoding/base64"
	"math"

	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// Tap is the Kinesis streams.
type Tap struct {
	// Shards are those of all streams; on demand an estimate of what Kinesis takes.
	Shards int `json:"shards"`
	// Busiest and Other are those of the busiest stream and of each other one.
	Busiest int `json:"busiest"`
	Other   int `json:"other"`
	// ShardMax is records/s of this size that one shard takes.
	ShardMax float64 `json:"shardMax"`
	Dollars  float64 `json:"dollars"`
}

// shardMax is how many records a second one shard takes: keys count too.
func (l Load) shardMax() float64 {
	return min(shardRecords, shardBytes/float64(l.Size+keyBytes))
}

func newTap(l Load) Tap {
	busiest, other := l.shares()
	of := func(share float64) int { return max(1, whole(l.peak()*share/l.shardMax())) }
	t := Tap{Busiest: of(busiest), ShardMax: l.shardMax()}
	t.Shards = t.Busiest
	if l.Streams > 1 {
		t.Other = of(other)
		t.Shards += (l.Streams - 1) * t.Other
	}
	month := l.Rate * monthSeconds
	if l.OnDemand {
		in := float64((l.Size+onDemandUnit-1)/onDemandUnit*onDemandUnit) / gib
		t.Dollars = float64(l.Streams)*onDemandStreamHour*monthHours + month*(in*onDemandIn+float64(l.Size)/gib*onDemandOut)
		return t
	}
	units := float64((l.Size + putUnitBytes - 1) / putUnitBytes)
	t.Dollars = float64(t.Shards)*shardHour*monthHours + month*units*putUnit
	return t
}

// batch is what one invocation of the bridge gets of a shard, in records, and how
// often.
type batch struct{ records, perSecond float64 }

// eventSize is a record in an event of the bridge.
func (l Load) eventSize() float64 {
	return float64(base64.StdEncoding.EncodedLen(l.Size) + eventBytes)
}

// batchOf is the batch of a shard with that many records a second: what came within
// the window, unless it is full before.
func (l Load) batchOf(rate float64) batch {
	full := max(1, min(bridgeRecords, invocationBytesMax/l.eventSize()))
	records := min(full, max(1, rate*bridgeWindow))
	return batch{records, rate / records}
}

// overShards adds a function of a shard's records a second up over all shards.
func (l Load) overShards(t Tap, f func(rate float64) float64) float64 {
	busiest, other := l.shares()
	sum := float64(t.Busiest) * f(l.Rate*busiest/float64(t.Busiest))
	if t.Other > 0 {
		sum += float64((l.Streams-1)*t.Other) * f(l.Rate*other/float64(t.Other))
	}
	return sum
}

// bridgeMillis is what an invocation with a batch is billed.
func (l Load) bridgeMillis(b batch) float64 {
	cpu := b.records * l.eventSize() / (bridgeRate * 1e6) * 1000 / min(1, vCPUs(l.BridgeMemory))
	calls := math.Ceil(b.records * float64(l.framed()) / float64(sink.FirehoseLimits.CallBytes))
	return math.Ceil(cpu + calls*putWait)
}

func newBridge(l Load, t Tap) Function {
	f := Function{Memory: l.BridgeMemory}
	f.InvocationsPerSecond = l.overShards(t, func(rate float64) float64 { return l.batchOf(rate).perSecond })
	f.Concurrency = l.overShards(t, func(rate float64) float64 {
		b := l.batchOf(rate)
		return b.perSecond * l.bridgeMillis(b) / 1000
	})
	f.BilledMillis = f.Concurrency / f.InvocationsPerSecond * 1000
	f.Dollars = lambdaDollars(f.InvocationsPerSecond, f.Concurrency, f.Memory)
	return f
}
