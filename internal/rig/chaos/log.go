package chaos

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// counter is a counter that is safe for concurrent use.
type counter = atomic.Int64

// logger writes lines that begin with the time since the start.
type logger struct {
	mu    sync.Mutex
	w     io.Writer
	begun time.Time
}

func newLogger(w io.Writer) *logger {
	if w == nil {
		w = io.Discard
	}
	return &logger{w: w, begun: time.Now()}
}

func (l *logger) printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = fmt.Fprintf(l.w, "%7.2fs %s\n", time.Since(l.begun).Seconds(), fmt.Sprintf(format, args...))
}

// problems collects descriptions of what must never happen.
type problems struct {
	mu   sync.Mutex
	list []string
}

// maxProblems bounds the list, because one defect may show up many times.
const maxProblems = 20

func (p *problems) add(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.list) < maxProblems {
		p.list = append(p.list, fmt.Sprintf(format, args...))
	}
}

func (p *problems) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.list)
}
