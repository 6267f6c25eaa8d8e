package chaos

import "sync"

// step is a moment in the work of a function that the suite can see from
// outside: on the wire to Redis, or at the endpoint.
type step string

const (
	beforeClaim step = "before claim"
	afterClaim  step = "after claim"
	beforePut   step = "before put"
	afterPut    step = "after put"
	beforeAck   step = "before ack"
	afterAck    step = "after ack"
	// The same of a bridge's call of Firehose.
	beforeDelivery step = "before delivery"
	afterDelivery  step = "after delivery"
)

// trap is what happens to the next function that comes to a step.
type trap struct {
	// do is told which function it is, and holds it up at the step.
	do func(caller string)
	// drop ends the step there: what the function sent, or was to hear, is lost.
	drop bool
	// sprung is closed after do.
	sprung chan struct{}
}

// traps are the armed ones. A trap springs once. Safe for concurrent use.
type traps struct {
	mu    sync.Mutex
	armed map[step]*trap
}

func newTraps() *traps { return &traps{armed: make(map[step]*trap)} }

// arm sets a trap at a step.
func (t *traps) arm(s step, drop bool, do func(caller string)) *trap {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.armed[s] = &trap{do: do, drop: drop, sprung: make(chan struct{})}
	return t.armed[s]
}

// disarm takes a trap away, and reports whether it was still there.
func (t *traps) disarm(s step) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	armed := t.armed[s] != nil
	delete(t.armed, s)
	return armed
}

// take returns the trap of a step, if there is one, and disarms it.
func (t *traps) take(s step) *trap {
	t.mu.Lock()
	defer t.mu.Unlock()
	trap := t.armed[s]
	delete(t.armed, s)
	return trap
}

// spring lets the trap of a step do what it is for, if there is one, and reports
// whether the step ends there.
func (t *traps) spring(s step, caller string) (drop bool) {
	trap := t.take(s)
	if trap == nil {
		return false
	}
	trap.spring(caller)
	return trap.drop
}

func (t *trap) spring(caller string) {
	t.do(caller)
	close(t.sprung)
}
