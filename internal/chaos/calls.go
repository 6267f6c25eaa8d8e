package chaos

import (
	"slices"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/awstest"
)

// callTable follows the calls of Kinesis and Firehose. A call that took effect
// and was not answered, as its caller sees it, is made again: its records may
// come twice. Safe for concurrent use.
type callTable struct {
	mu sync.Mutex
	// answered are calls whose answer was written; a cut of the link may have
	// kept it from its caller.
	answered []answeredCall
	cuts     []cut
	// unanswered counts the records of the others.
	unanswered map[string]int // by service
	// batches has the sizes of the Kinesis batches that the bridge works on, by
	// stream, and last that of the one that ended last: a Firehose call has
	// records of one batch.
	batches map[string][]int
	last    map[string]int
}

type answeredCall struct {
	service      string
	records      int
	begun, ended time.Time
}

// cut is a time in which a service's link lost what was on it.
type cut struct {
	service    string
	begun, end time.Time
}

// onTheWay is how long an answer may be on its way after it was written.
const onTheWay = 300 * time.Millisecond

func newCallTable() *callTable {
	return &callTable{unanswered: make(map[string]int), batches: make(map[string][]int), last: make(map[string]int)}
}

func (t *callTable) ended(c awstest.Call, o awstest.Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	records := o.Stored
	if c.Service == awstest.ServiceFirehose && records > 0 {
		records = max(t.last[c.Resource], slices.Max(append(t.batches[c.Resource], 0)))
	}
	switch {
	case records == 0:
	case o.Answered:
		t.answered = append(t.answered, answeredCall{c.Service, records, o.Begun, o.Ended})
	default:
		t.unanswered[c.Service] += records
	}
}

// batch notes that the bridge gets a batch of a Kinesis stream, until the
// returned function is told how many records it did not deliver.
func (t *callTable) batch(resource string, records int) (end func(undelivered int)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.batches[resource] = append(t.batches[resource], records)
	return func(undelivered int) {
		t.mu.Lock()
		defer t.mu.Unlock()
		at := slices.Index(t.batches[resource], records)
		t.batches[resource] = slices.Delete(t.batches[resource], at, at+1)
		t.last[resource] = records
		t.unanswered[bridgeBatches] += undelivered
	}
}

// bridgeBatches stands beside the services for whole batches of the bridge.
const bridgeBatches = "bridge"

// lost notes that a link lost what was on it from begun on until now.
func (t *callTable) lost(service string, begun time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cuts = append(t.cuts, cut{service, begun.Add(-onTheWay), time.Now().Add(onTheWay)})
}

// total is how many records calls may have delivered twice, by service.
func (t *callTable) total() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, call := range t.answered {
		for _, cut := range t.cuts {
			if call.service == cut.service && call.begun.Before(cut.end) && call.ended.After(cut.begun) {
				t.unanswered[call.service] += call.records
				break
			}
		}
	}
	t.answered = nil
	return t.unanswered
}
