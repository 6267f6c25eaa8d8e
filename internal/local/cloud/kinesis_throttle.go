package cloud

import (
	"sync"
	"time"
)

// rateLimit is a limit of calls and of bytes a second: two buckets that fill in
// one second. A call that needs more bytes than are left is refused. It is safe
// for concurrent use.
type rateLimit struct {
	maxCalls, maxBytes float64
	now                func() time.Time

	mu           sync.Mutex
	last         time.Time
	calls, bytes float64 // left
}

func newRateLimit(calls, bytes float64, now func() time.Time) *rateLimit {
	return &rateLimit{maxCalls: calls, maxBytes: bytes, now: now}
}

// admit takes one call and its bytes, or reports false.
func (l *rateLimit) admit(size int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	seconds := 1.0 // The buckets are full at the start.
	if !l.last.IsZero() {
		seconds = max(0, now.Sub(l.last).Seconds())
	}
	l.last = now
	l.calls = min(l.maxCalls, l.calls+seconds*l.maxCalls)
	l.bytes = min(l.maxBytes, l.bytes+seconds*l.maxBytes)
	if l.calls < 1 || l.bytes < float64(size) {
		return false
	}
	l.calls--
	l.bytes -= float64(size)
	return true
}

// spend takes bytes that a call has used beyond those that it was admitted with.
// It may leave a debt.
func (l *rateLimit) spend(size int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes -= float64(size)
}
