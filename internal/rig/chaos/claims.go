package chaos

import (
	"sync"
	"time"
)

// leasing is the size and the lease of a drainer's claims.
type leasing struct {
	lease          time.Duration
	records, bytes int
}

// claimTable tracks every claim from the reply that a drainer received to the reply
// that settled it. The records of a claim that was never settled, or settled too
// late, may be delivered twice. Safe for concurrent use.
type claimTable struct {
	problems *problems
	lease    time.Duration

	mu   sync.Mutex
	open map[string]*openClaim // by the key of the claim
	// unsettled counts the records of claims that were not settled. late counts the
	// records that a drainer released when its time was up.
	unsettled, late int
	// inPartition reports whether Redis is partitioned. settledIn counts the records
	// that were settled meanwhile.
	inPartition bool
	settledIn   int
}

type openClaim struct {
	caller  string
	records int
	since   time.Time
	asked   int // number of requests to settle it
	// excused reports whether Redis was partitioned during the claim.
	excused bool
}

func newClaimTable(p *problems, lease time.Duration) *claimTable {
	return &claimTable{problems: p, lease: lease, open: make(map[string]*openClaim)}
}

// claimed records a claim whose reply is about to reach a drainer.
func (t *claimTable) claimed(id, caller string, records int, since time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open[id] = &openClaim{caller: caller, records: records, since: since, excused: t.inPartition}
}

// asked records that a drainer wants to settle a claim and to return left of its
// records to the queue. Records that are returned because the time is up may have
// been put nevertheless: the drainer gave up on a call that was under way.
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

// settled records Redis' reply, which is about to reach a drainer. If the claim did
// not exist although its lease had time left, another drainer took it too early:
// that is a problem.
func (t *claimTable) settled(id string, held bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.open[id]
	if c == nil {
		return
	}
	switch {
	case held && t.inPartition:
		t.settledIn += c.records
	case !held:
		t.unsettled += c.records
		if age := time.Since(c.since); c.asked == 1 && age < t.lease && !c.excused {
			t.problems.add("%s of %d records was taken after %v, before its lease of %v ended", id, c.records, age, t.lease)
		}
	}
	delete(t.open, id)
}

// partitioned records that a partition of Redis begins or has ended.
func (t *claimTable) partitioned(begins bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inPartition, t.settledIn = begins, 0
	for _, c := range t.open {
		c.excused = true
	}
}

// settledInPartition returns the number of records that were settled since a
// partition of Redis began.
func (t *claimTable) settledInPartition() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.settledIn
}

// ended records that a drainer's process has ended with its claims unsettled.
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

// total returns the number of records that claims may have delivered twice. Claims
// that are still open count as unsettled.
func (t *claimTable) total() (unsettled, late int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, c := range t.open {
		t.unsettled += c.records
		delete(t.open, id)
	}
	return t.unsettled, t.late
}
