package page

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// meter is what the page knows of one stream. The counters count records since the
// pipeline started.
type meter struct {
	name   string
	stream atomic.Pointer[stream.Stream]

	// Records that the queue accepted, direct records, records that a drainer
	// acknowledged, records that the tap accepted, entries that it throttled, records
	// that the bridge settled, and records that the drainer put to Firehose.
	pushed, direct, forwarded, tapped, throttled, bridged, drained atomic.Int64
	// Dead letters of the drainer and of the bridge.
	deadAtDrainer, deadAtBridge atomic.Int64
	// The numbers of records that were in the queue and on the tap when the pipeline
	// started. They do not change.
	foundInRedis, foundOnTap int64
	// settling is the number of records that are being acknowledged.
	settling atomic.Int64
	// slowest is the longest time from receipt to tap or Firehose since the last sample, in ns.
	slowest atomic.Int64
	// touched reports whether the queue has changed since it was read, waits whether it
	// held or should have held records then.
	touched, waits atomic.Bool
	newest         newest
	crossing       crossing
	valve          valve

	// Page.mu guards the fields below.
	state      queue.State
	unreadable bool // Redis answers, but not for this queue
	// missing is the number of records that should be in Redis and are not; lows
	// are its lower bounds in the last samples.
	missing int64
	lows    [missingSamples]int64
	before  hops
	rates   rates
	past    history
}

// missingSamples is the number of samples in which records must be missing.
const missingSamples = 3

// hops are counters at one moment.
type hops struct{ accepted, direct, forwarded, tapped, bridged, drained, archived int64 }

// rates are records a second.
type rates struct{ accepted, direct, forwarded, tapped, bridged, drained, archived float64 }

// history is the last minutes of a stream: values of one second each.
type history struct{ depth, accepted, direct, forwarded, latency, age series }

// newMeter returns the meter of a stream. progress returns the number of bytes that its
// Firehose has accepted and written.
func newMeter(name string, progress func() (accepted, written int64)) *meter {
	m := &meter{name: name, crossing: crossing{progress: progress}}
	m.touched.Store(true)
	return m
}

func (m *meter) hops() hops {
	return hops{
		accepted: m.pushed.Load() + m.direct.Load(), direct: m.direct.Load(), forwarded: m.forwarded.Load(),
		tapped: m.tapped.Load(), bridged: m.bridged.Load(), drained: m.drained.Load(), archived: m.crossing.archived() + m.direct.Load(),
	}
}

// passed records a time from receipt to the tap or Firehose.
func (m *meter) passed(took time.Duration) {
	for {
		old := m.slowest.Load()
		if int64(took) <= old || m.slowest.CompareAndSwap(old, int64(took)) {
			return
		}
	}
}

// sample appends one value to each series. Page.mu is held.
func (m *meter) sample(now time.Time, elapsed float64) {
	h, b := m.hops(), m.before
	rate := func(now, before int64) float64 { return float64(now-before) / elapsed }
	m.rates = rates{
		accepted: rate(h.accepted, b.accepted), direct: rate(h.direct, b.direct), forwarded: rate(h.forwarded, b.forwarded),
		tapped: rate(h.tapped, b.tapped), bridged: rate(h.bridged, b.bridged), drained: rate(h.drained, b.drained), archived: rate(h.archived, b.archived),
	}
	m.before = h
	m.past.direct.add(float64(h.direct - b.direct))
	m.past.depth.add(float64(m.state.Depth + m.state.ClaimedRecords))
	m.past.accepted.add(m.rates.accepted)
	m.past.forwarded.add(m.rates.forwarded)
	m.past.latency.add(time.Duration(m.slowest.Swap(0)).Seconds())
	m.past.age.add(m.age(now).Seconds())
}

// observe takes over the state of the queue. Page.mu is held.
func (m *meter) observe(i inspection) {
	if m.unreadable = i.err != nil; m.unreadable {
		return
	}
	m.state = i.state
	copy(m.lows[:], m.lows[1:])
	m.lows[missingSamples-1] = max(0, i.low)
	m.missing = slices.Min(m.lows[:])
}

// age is the age of the oldest record in the queue.
func (m *meter) age(now time.Time) time.Duration {
	if m.state.OldestReceivedAt.IsZero() || m.state.Depth+m.state.ClaimedRecords == 0 {
		return 0
	}
	return max(0, now.Sub(m.state.OldestReceivedAt))
}

// crossing counts the records in the objects that Firehose has written. Firehose
// counts bytes only, and objects have the bytes in the order in which Firehose accepted
// them. So a batch is in an object at the latest when the objects have as many bytes as
// Firehose had accepted after the batch. It is safe for concurrent use.
type crossing struct {
	// progress returns the number of bytes that Firehose has accepted and written.
	progress func() (accepted, written int64)

	mu      sync.Mutex
	line    []crossingBatch // not in objects yet
	records int64           // in objects
}

// crossingBatch is records that Firehose has accepted, and the number of bytes that it
// had accepted then.
type crossingBatch struct{ records, accepted int64 }

// longestLine limits the batches in the line. Further ones are merged with the last.
const longestLine = 4096

// took adds records that Firehose has accepted.
func (c *crossing) took(records int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	accepted, written := c.progress()
	if n := len(c.line); n == longestLine {
		c.line[n-1].records += records
		c.line[n-1].accepted = accepted
	} else {
		c.line = append(c.line, crossingBatch{records, accepted})
	}
	c.match(written)
}

// archived returns the number of records in objects.
func (c *crossing) archived() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, written := c.progress()
	c.match(written)
	return c.records
}

func (c *crossing) match(written int64) {
	n := 0
	for ; n < len(c.line) && c.line[n].accepted <= written; n++ {
		c.records += c.line[n].records
	}
	c.line = append(c.line[:0], c.line[n:]...)
}
