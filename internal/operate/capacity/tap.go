package main

import (
	"encoding/base64"
	"math"

	"github.com/data-sink/data-sink/internal/operate/capacity/bill"
	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// Tap is the Kinesis streams.
type Tap struct {
	// Shards is the number for all streams. With on-demand capacity it is an estimate.
	Shards int `json:"shards"`
	// Busiest and Other are the shards of the busiest stream and of each other stream.
	Busiest int `json:"busiest"`
	Other   int `json:"other"`
	// ShardMax is the number of records/s of this size that one shard accepts.
	ShardMax float64 `json:"shardMax"`
	Dollars  float64 `json:"dollars"`
}

// shardMax returns the records a second that one shard accepts. Partition keys count.
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
	month := l.Rate * bill.MonthSeconds
	if l.OnDemand {
		in := float64((l.Size+bill.OnDemandUnit-1)/bill.OnDemandUnit*bill.OnDemandUnit) / bill.GiB
		t.Dollars = float64(l.Streams)*bill.OnDemandStreamHour*bill.MonthHours + month*(in*bill.OnDemandIn+float64(l.Size)/bill.GiB*bill.OnDemandOut)
		return t
	}
	units := float64((l.Size + bill.PutUnitBytes - 1) / bill.PutUnitBytes)
	t.Dollars = float64(t.Shards)*bill.ShardHour*bill.MonthHours + month*units*bill.PutUnit
	return t
}

// batch is the number of records that are packed together, and the number of such batches
// a second: the records of one invocation of the bridge for a shard, or of one claim of
// the drainer without a tap.
type batch struct{ records, perSecond float64 }

// eventSize returns the bytes of a record in an event of the bridge.
func (l Load) eventSize() float64 {
	return float64(base64.StdEncoding.EncodedLen(l.Size) + eventBytes)
}

// batchOf returns the batch of a shard with that rate: the records of a window, or
// fewer if the batch is full before.
func (l Load) batchOf(rate float64) batch {
	full := max(1, min(settings.BridgeRecords, invocationBytesMax/l.eventSize()))
	records := min(full, max(1, rate*settings.BridgeWindow))
	return batch{records, rate / records}
}

// overShards returns the sum over all shards of a function of a shard's rate.
func (l Load) overShards(t Tap, f func(rate float64) float64) float64 {
	busiest, other := l.shares()
	sum := float64(t.Busiest) * f(l.Rate*busiest/float64(t.Busiest))
	if t.Other > 0 {
		sum += float64((l.Streams-1)*t.Other) * f(l.Rate*other/float64(t.Other))
	}
	return sum
}

// claimOf returns the batch of a stream without a tap: a claim has the records of a wake
// interval, or fewer if it is full before.
func (l Load) claimOf(rate float64) batch {
	records := min(l.claimRecords(), max(1, rate*drainer.Wake.Interval.Seconds()))
	return batch{records, rate / records}
}

// overBatches returns the sum of a function of the batches over all streams.
func (l Load) overBatches(t Tap, f func(b batch) float64) float64 {
	if l.NoTap {
		return l.overStreams(func(share float64) float64 { return f(l.claimOf(l.Rate * share)) })
	}
	return l.overShards(t, func(rate float64) float64 { return f(l.batchOf(rate)) })
}

// bridgeMillis returns the milliseconds that are billed for a batch.
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
	f.Dollars = bill.LambdaDollars(f.InvocationsPerSecond, f.Concurrency, f.Memory)
	return f
}
