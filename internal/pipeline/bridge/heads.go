package bridge

import (
	"sync"
	"time"
)

// probeAfter is how long Firehose must have refused the head of a shard before the
// bridge sends the next records to find out whether the head is the cause.
const probeAfter = 15 * time.Minute

// heads remembers which record of each shard must be delivered next, for shards
// whose last batch was not delivered completely. Each environment of the function
// has its own memory. It is safe for concurrent use.
type heads struct {
	mu     sync.Mutex
	shards map[string]head
}

// head is the first undelivered record of a shard.
type head struct {
	sequence string
	since    time.Time // when this environment sent it first
	probe    time.Time // the earliest time of the next probe
}

// begin notes that a batch of a shard begins with a record, and reports whether
// this environment has sent the record before.
func (h *heads) begin(shard, sequence string, now time.Time) (_ head, again bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if known := h.shards[shard]; known.sequence == sequence {
		return known, true
	}
	return h.set(shard, sequence, now), false
}

// set makes a record the head of a shard. The caller holds mu.
func (h *heads) set(shard, sequence string, now time.Time) head {
	if h.shards == nil {
		h.shards = make(map[string]head)
	}
	h.shards[shard] = head{sequence: sequence, since: now, probe: now.Add(probeAfter)}
	return h.shards[shard]
}

// left notes that a record of a shard was sent and is left.
func (h *heads) left(shard, sequence string, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.shards[shard].sequence != sequence {
		h.set(shard, sequence, now)
	}
}

// settled notes that all records of a shard's batch are settled.
func (h *heads) settled(shard string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.shards, shard)
}

// probed notes that a probe of the shard has shown nothing.
func (h *heads) probed(shard string, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if known, ok := h.shards[shard]; ok {
		known.probe = now.Add(probeAfter)
		h.shards[shard] = known
	}
}
