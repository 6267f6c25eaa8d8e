package chaos

import "sync"

// step is a moment in the work of a function that the suite can observe: on the
// connection to Redis, or at the AWS endpoint.
type step string

const (
	beforeClaim step = "before claim"
	afterClaim  step = "after claim"
	beforePut   step = "before put"
	afterPut    step = "after put"
	beforeAck   step = "before ack"
	afterAck    step = "after ack"
	// The steps of ingest's push.
	beforePush step = "before push"
	afterPush  step = "after push"
	// The steps of a bridge's call of Firehose.
	beforeFirehose step = "before PutRecordBatch"
	afterFirehose  step = "after PutRecordBatch"
)

// trap is an action on the next function that reaches a step.
type trap struct {
	// do runs while the function waits at the step. caller identifies the function's
	// process.
	do func(caller string)
	// drop drops the function's message at the step: the request or the reply is
	// lost.
	drop bool
	// sprung is closed after do has returned.
	sprung chan struct{}
}

// traps are the armed traps. Each trap springs once. Safe for concurrent use.
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

// disarm removes a trap and reports whether it was still armed.
func (t *traps) disarm(s step) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	armed := t.armed[s] != nil
	delete(t.armed, s)
	return armed
}

// take disarms and returns the trap of a step; nil if there is none.
func (t *traps) take(s step) *trap {
	t.mu.Lock()
	defer t.mu.Unlock()
	trap := t.armed[s]
	delete(t.armed, s)
	return trap
}

// spring runs the trap of a step, if there is one, and reports whether the message
// is dropped.
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
