package chaos

import (
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
)

// callTable tracks the calls of Kinesis and Firehose. A call that took effect
// without its caller receiving the answer is repeated, so its records may arrive
// twice. Safe for concurrent use.
type callTable struct {
	mu sync.Mutex
	// answered are calls whose answer was written. The answer may have been lost on
	// a link.
	answered []answeredCall
	losses   []loss
	// unanswered counts the records of all other calls.
	unanswered map[string]int // by service
}

type answeredCall struct {
	service      string
	records      int
	begun, ended time.Time
}

// loss is a period in which a service's link lost what was sent on it.
type loss struct {
	service    string
	begun, end time.Time
}

// onTheWay is how long an answer may be in transit after it was written, on a slow
// link and a busy machine.
const onTheWay = 500 * time.Millisecond

func newCallTable() *callTable {
	return &callTable{unanswered: make(map[string]int)}
}

func (t *callTable) ended(c cloud.Call, o cloud.Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case o.Stored == 0:
	case o.Answered:
		t.answered = append(t.answered, answeredCall{c.Service, o.Stored, o.Begun, o.Ended})
	default:
		t.unanswered[c.Service] += o.Stored
	}
}

// undelivered records the number of records of a batch that the bridge did not
// deliver, or may not have delivered. They are sent again.
func (t *callTable) undelivered(records int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unanswered[bridgeBatches] += records
}

// bridgeBatches is the key in unanswered for the batches of the bridge.
const bridgeBatches = "bridge"

// lost records that a link lost what was sent on it from begun until now. A call
// that begins later uses a new connection.
func (t *callTable) lost(service string, begun time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.losses = append(t.losses, loss{service, begun.Add(-onTheWay), time.Now()})
}

// total returns the number of records that calls may have delivered twice, by
// service.
func (t *callTable) total() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, call := range t.answered {
		for _, l := range t.losses {
			if call.service == l.service && call.begun.Before(l.end) && call.ended.After(l.begun) {
				t.unanswered[call.service] += call.records
				break
			}
		}
	}
	t.answered = nil
	return t.unanswered
}
