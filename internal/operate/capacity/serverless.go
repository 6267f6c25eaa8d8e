package main

import (
	"math"

	"github.com/data-sink/data-sink/internal/operate/capacity/bill"
)

// Properties of a serverless cache, as AWS documents them or estimated.
const (
	// ecpuPerRecord is the number of ECPUs of push, claim and acknowledgement of a small
	// record, an estimate; a larger record costs an ECPU for each KiB that is moved.
	ecpuPerRecord = 10
	// ecpuFromIdle is the number of ECPUs a second that an idle cache accepts. It doubles
	// its capacity in 10 to 12 minutes.
	ecpuFromIdle = 30_000
	// ecpuOfSlot is the number of ECPUs a second of one slot, and so of one stream.
	ecpuOfSlot = 90_000
)

// ecpus returns the ECPUs of a record.
func (l Load) ecpus() float64 { return math.Max(ecpuPerRecord, 2*l.queued()/(1<<10)+ecpuPerRecord-2) }

// serverlessCache returns a serverless cache for the load. A backlog costs more only while
// it waits, so it is not part of the cost.
func (l Load) serverlessCache() Cache {
	c := Cache{
		Node: "serverless", RecordBytes: l.queued() * redisMemory,
		ShardMax: ecpuFromIdle / l.ecpus(), StreamMax: ecpuOfSlot / l.ecpus(), KeyMiB: l.overStreams(l.keys) / (1 << 20),
	}
	keys := c.KeyMiB * (1 << 20)
	c.BacklogMinutes = max(0, float64(l.stack().CacheMaxGB)*1e9-keys) / (c.RecordBytes * l.peak()) / 60
	c.Dollars = max(bill.ServerlessMinimumGiB, keys/bill.GiB) * bill.ServerlessGiBHour * bill.MonthHours
	if !l.oversize() {
		c.Dollars += l.Rate * bill.MonthSeconds * l.ecpus() * bill.ECPU
	}
	return c
}
