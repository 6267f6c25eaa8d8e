package chaos

import (
	"sync"
	"time"
)

// leasing is how drainers claim: for how long, and how much at once.
type leasing struct {
	lease          time.Duration
	records, bytes int
}

// claimTable follows every claim from the answer that a drainer got to the
// answer that settled it. What is never settled so, or too late, is what may be
// delivered twice. Safe for concurrent use.
type claimTable struct {
	problems *problems
	lease    time.Duration

	mu   sync.Mutex
	open map[string]*openClaim // by the claim's key
	// unsettled counts the records of claims that were not settled, and late
	// those that were returned by a drainer which had run out of time.
	unsettled, late int
}

type openClaim struct {
	caller  string
	records int
	since   time.Time
	asked   int // how often Redis was asked to settle it
}

func newClaimTable(p *problems, lease time.Duration) *claimTable {
	return &claimTable{problems: p, lease: lease, open: make(map[string]*openClaim)}
}

// claimed notes a claim that a drainer is about to learn of.
func (t *claimTable) claimed(id, caller string, records int, since time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open[id] = &openClaim{caller: caller, records: records, since: since}
}

// asked notes that a drainer wants to settle a claim and return so many of its
// records. Returned because the time was up, they may have been put all the
// same: the call was given up while it was under way.
func (t *claimTable) asked(id string, left int, timeUp bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.open[id]
	if c == nil {
		return
	}
	if c.asked++; c.asked == 1 && (timeUp || time.Since(c.since) > t.lease*7/10) {
		t.late += left
	}
}

// settled notes Redis' answer, which a drainer is about to learn of. A claim that
// was gone although its lease had time left was taken away from its drainer.
func (t *claimTable) settled(id string, held bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.open[id]
	if c == nil {
		return
	}
	if !held {
		t.unsettled += c.records
		if age := time.Since(c.since); c.asked == 1 && age < t.lease {
			t.problems.add("%s of %d records was gone after %v, before its lease of %v ran out", id, c.records, age, t.lease)
		}
	}
	delete(t.open, id)
}

// ended notes that a drainer's process has ended with what it held.
func (t *claimTable) ended(caller string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, c := range t.open {
		if c.caller == caller {
			t.unsettled += c.records
			delete(t.open, id)
		}
	}
}

// total returns how many records claims may have delivered twice, with those
// that were never settled.
func (t *claimTable) total() (unsettled, late int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, c := range t.open {
		t.unsettled += c.records
		delete(t.open, id)
	}
	return t.unsettled, t.late
}
