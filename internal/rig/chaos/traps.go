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
	// do runs while the function waits at the step. caller identifies its process.
	do func(caller string)
	// drop drops the request or the reply at the step.
	drop bool
	// sprung is closed after do has returned.
	sprung chan struct{}
}

// spring runs the action, and reports whether the message is dropped. A nil trap does
// nothing.
func (t *trap) spring(caller string) (drop bool) {
	if t == nil {
		return false
	}
	t.do(caller)
	close(t.sprung)
	return t.drop
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

// take disarms and returns the trap of a step; nil if there is none.
func (t *traps) take(s step) *trap {
	t.mu.Lock()
	defer t.mu.Unlock()
	trap := t.armed[s]
	delete(t.armed, s)
	return trap
}

// spring springs the trap of a step, if there is one, and reports whether the message
// is dropped.
func (t *traps) spring(s step, caller string) (drop bool) { return t.take(s).spring(caller) }
