package local

import (
	"sync"
	"time"
)

// shardThrottle is the rate that a shard takes: two buckets that fill in a
// second, of records and of bytes. A record that is larger than what is left in
// the bucket is refused, as by AWS.
type shardThrottle struct {
	now func() time.Time

	mu             sync.Mutex
	last           time.Time
	records, bytes float64 // left
}

func (t *shardThrottle) admit(size int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	seconds := 1.0 // The buckets begin full.
	if !t.last.IsZero() {
		seconds = max(0, now.Sub(t.last).Seconds())
	}
	t.last = now
	t.records = min(kinesisShardRecords, t.records+seconds*kinesisShardRecords)
	t.bytes = min(kinesisShardBytes, t.bytes+seconds*kinesisShardBytes)
	if t.records < 1 || t.bytes < float64(size) {
		return false
	}
	t.records--
	t.bytes -= float64(size)
	return true
}
