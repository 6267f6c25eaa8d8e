package page

import (
	"context"
	"errors"
	"sync"
	"time"
)

// The faults, as indices of faultKinds.
const (
	redisStopped = iota
	kinesisThrottled
	drainerKilled
)

// faultKinds are the names and texts of the faults.
var faultKinds = [...]struct{ ID, Start, End, State, Effect, Node string }{
	{
		"redis", "Stop Redis", "Start Redis", "Redis is stopped",
		"New records become direct records. Records in the queues wait.", "Redis",
	},
	{
		"kinesis", "Throttle Kinesis", "Unthrottle Kinesis", "Kinesis is throttled",
		"Each stream accepts 10 records a second. All others wait in Redis.", "Kinesis",
	},
	{
		"drainer", "Kill the drainer", "Revive the drainer", "The drainer is dead",
		"Records wait in Redis. Its claims return to the queue when their leases expire.", "drainer",
	},
}

var (
	errRedisStopped  = errors.New("connection refused: Redis is stopped on the live page")
	errDrainerKilled = errors.New("the drainer was killed on the live page")
)

// fault is one fault. Its zero value is off. It is safe for concurrent use.
type fault struct {
	mu    sync.Mutex
	since time.Time // zero: off
	// alive is the context of the invocations that the fault kills. Only the fault of
	// the drainer has one.
	alive context.Context
	kill  context.CancelFunc
}

func (f *fault) on() bool { return !f.began().IsZero() }

// began returns when the fault was started; zero if it is off.
func (f *fault) began() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.since
}

func (f *fault) start(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.since.IsZero() {
		return
	}
	f.since = now
	if f.kill != nil {
		f.kill()
	}
}

// end ends the fault, and reports whether it was on.
func (f *fault) end() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.since.IsZero() {
		return false
	}
	f.since = time.Time{}
	if f.kill != nil {
		f.alive, f.kill = context.WithCancel(context.Background())
	}
	return true
}

// life returns a context that also ends when the fault kills invocations.
func (f *fault) life(ctx context.Context) (context.Context, context.CancelFunc) {
	f.mu.Lock()
	alive := f.alive
	f.mu.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(alive, func() { cancel(errDrainerKilled) })
	return ctx, func() { stop(); cancel(nil) }
}

// set starts or ends a fault.
func (p *Page) set(kind int, on bool) {
	now := time.Now()
	if on {
		p.faults[kind].start(now)
		return
	}
	if p.faults[kind].end() {
		p.mu.Lock()
		p.sweepTo = now.Add(sweepFor)
		p.mu.Unlock()
	}
}

// Heal ends all faults.
func (p *Page) Heal() {
	for kind := range p.faults {
		p.set(kind, false)
	}
}

// valve admits throttledRecords records a second.
type valve struct {
	mu   sync.Mutex
	last time.Time
	left float64
}

// throttledRecords is the number of records that a throttled stream accepts in a
// second.
const throttledRecords = 10

func (v *valve) admit(now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.left = min(throttledRecords, v.left+max(0, now.Sub(v.last).Seconds())*throttledRecords)
	v.last = now
	if v.left < 1 {
		return false
	}
	v.left--
	return true
}
