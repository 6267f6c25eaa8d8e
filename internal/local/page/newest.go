package page

import (
	"bytes"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/envelope"
)

const (
	// keptRecords is the number of records of a stream that are kept, and keptBytes
	// the number of bytes of each body. cutBytes of a body are shown.
	keptRecords = 8
	keptBytes   = 4 << 10
	cutBytes    = 200
	// In lookWindow at most lookRecords records are looked at: the records of a busy
	// stream would change faster than anyone can read.
	lookWindow  = 250 * time.Millisecond
	lookRecords = 20
)

// seen is a record that was accepted.
type seen struct {
	ID, Key    string
	ReceivedAt time.Time
	Size       int    // of the body, or of the object of a direct record, in bytes
	Direct     string // the reason of a direct record, else empty
	head       []byte // the first keptBytes bytes of the body
}

// newest holds the last records of a stream. It is safe for concurrent use.
type newest struct {
	mu      sync.Mutex
	records [keptRecords]seen
	next    int
	window  time.Time
	looked  int
}

// look reports whether another record is to be kept now.
func (n *newest) look(now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now.Sub(n.window) >= lookWindow {
		n.window, n.looked = now, 0
	}
	n.looked++
	return n.looked <= lookRecords
}

// add keeps a record and the first bytes of its body. It runs inside of a push, so
// it neither decodes nor decompresses the body.
func (n *newest) add(r seen, body []byte) {
	r.Size, r.head = len(body), bytes.Clone(body[:min(len(body), keptBytes)])
	n.mu.Lock()
	defer n.mu.Unlock()
	n.records[n.next] = r
	n.next = (n.next + 1) % keptRecords
}

// all returns the records, the newest first.
func (n *newest) all() []seen {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []seen
	for i := range keptRecords {
		r := n.records[(n.next+2*keptRecords-1-i)%keptRecords]
		if !r.ReceivedAt.IsZero() {
			all = append(all, r)
		}
	}
	return all
}

// pushed keeps a record that was pushed to the queue.
func (n *newest) pushed(now time.Time, encoded []byte) {
	if !n.look(now) {
		return
	}
	r, err := envelope.Decode(encoded)
	if err != nil {
		return // The drainer reports it.
	}
	n.add(seen{ID: r.ID, Key: r.PartitionKey, ReceivedAt: r.ReceivedAt}, r.Body)
}
