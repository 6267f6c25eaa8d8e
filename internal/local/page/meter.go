package page

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// meter is what the page knows of one stream. The counters count since the
// pipeline started.
type meter struct {
	stream stream.Stream

	pushed, straight, forwarded, aside, tapped, throttled, bridged atomic.Int64
	// found is what the queue held before the pipeline started.
	found atomic.Int64
	// slowest is the longest time from receipt to tap since the last sample, in ns.
	slowest atomic.Int64
	// touched says that the queue has changed since it was read, waits that it
	// held something then.
	touched, waits atomic.Bool
	newest         newest
	crossing       crossing
	valve          valve

	// All below is guarded by Page.mu.
	state queue.State
	// twice is how many records the tap has more than once: those that a drainer
	// put there and could not acknowledge any more.
	twice  int64
	before hops
	rates  rates
	// straightRate is the part of the accepted that went straight to the archive.
	straightRate   float64
	straightBefore int64
	past           history
}

// hops are counters at one moment.
type hops struct{ accepted, forwarded, tapped, bridged, archived int64 }

// rates are records a second.
type rates struct{ accepted, forwarded, tapped, bridged, archived float64 }

// history is the last minutes of a stream.
type history struct{ depth, accepted, forwarded, latency, age series }

func newMeter(s stream.Stream) *meter {
	m := &meter{stream: s}
	m.touched.Store(true)
	return m
}

func (m *meter) hops() hops {
	return hops{
		accepted: m.pushed.Load() + m.straight.Load(), forwarded: m.forwarded.Load(),
		tapped: m.tapped.Load(), bridged: m.bridged.Load(), archived: m.archived(),
	}
}

// archived is the number of records in objects.
func (m *meter) archived() int64 { return m.crossing.archived() + m.straight.Load() + m.aside.Load() }

// passed notes a time from receipt to tap.
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
		accepted: rate(h.accepted, b.accepted), forwarded: rate(h.forwarded, b.forwarded),
		tapped: rate(h.tapped, b.tapped), bridged: rate(h.bridged, b.bridged), archived: rate(h.archived, b.archived),
	}
	m.before = h
	straight := m.straight.Load()
	m.straightRate = rate(straight, m.straightBefore)
	m.straightBefore = straight
	m.past.depth.add(float64(m.state.Depth + m.state.ClaimedRecords))
	m.past.accepted.add(m.rates.accepted)
	m.past.forwarded.add(m.rates.forwarded)
	m.past.latency.add(time.Duration(m.slowest.Swap(0)).Seconds())
	m.past.age.add(m.age(now).Seconds())
}

// age is that of the oldest record in the queue.
func (m *meter) age(now time.Time) time.Duration {
	if m.state.OldestReceivedAt.IsZero() || m.state.Depth+m.state.ClaimedRecords == 0 {
		return 0
	}
	return max(0, now.Sub(m.state.OldestReceivedAt))
}

// crossing tells how many records are in the objects that Firehose has written:
// Firehose knows bytes only. The batches of the bridge stand in a line with their
// bytes, and are in the archive when the objects hold as many bytes. Between two
// shards the order may differ for a moment; when all is written the number is
// exact.
type crossing struct {
	mu      sync.Mutex
	line    []crossingBatch
	bytes   int64 // in objects, and of no batch yet
	records int64 // in objects
}

type crossingBatch struct{ records, bytes int64 }

// longestLine is how many batches are told apart.
const longestLine = 4096

// took notes what the bridge has passed to Firehose. A batch that came to no
// record has bytes all the same.
func (c *crossing) took(records, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.line); n == longestLine {
		c.line[n-1].records += records
		c.line[n-1].bytes += bytes
	} else {
		c.line = append(c.line, crossingBatch{records, bytes})
	}
	c.match()
}

// wrote notes an object.
func (c *crossing) wrote(bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes += bytes
	c.match()
}

func (c *crossing) match() {
	n := 0
	for ; n < len(c.line) && c.line[n].bytes <= c.bytes; n++ {
		c.bytes -= c.line[n].bytes
		c.records += c.line[n].records
	}
	c.line = append(c.line[:0], c.line[n:]...)
}

func (c *crossing) archived() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.records
}
