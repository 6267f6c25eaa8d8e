// Package lambdatest runs a function's bootstrap as AWS Lambda does: as
// processes that ask a Runtime API for one invocation after another, each busy
// with one at a time, started when all others are busy, and kept for the next.
//
// A process can be killed and frozen at any moment. All end with Close, and with
// the process that started them, even if that is killed. Other than on Lambda a
// process is not frozen between invocations.
package lambdatest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// Options say what to run.
type Options struct {
	// Name is the function's name.
	Name string
	// Bootstrap is the path of its binary, Dir the folder that it runs in: that of
	// the function's asset.
	Bootstrap, Dir string
	// Env is what its environment has besides what Lambda sets, as "NAME=value".
	// It is asked for every process, which are numbered from 1 on. May be nil.
	Env func(process int) []string
	// Concurrency bounds the processes. Default 1.
	Concurrency int
	// Timeout bounds an invocation: a process that has not answered by then is
	// killed. Default 30 s.
	Timeout time.Duration
	// Output takes what the processes print; nil for nobody. It is written to
	// concurrently unless it is an *os.File.
	Output io.Writer
	// Ended, if set, is told of every process that ends before Close, and why.
	// killed reports whether Kill, Renew or the time-out ended it.
	Ended func(p *Process, killed bool, err error)
}

// ErrProcessEnded says that the process ended before it answered, ErrTimedOut
// that it was killed because it took too long. Whatever the invocation did until
// then stays done.
var (
	ErrProcessEnded = errors.New("the function's process ended")
	ErrTimedOut     = errors.New("the invocation timed out")
)

// FunctionError is an error that the function returned.
type FunctionError struct {
	// Response is the error as the runtime reports it, a JSON object.
	Response string
}

func (e *FunctionError) Error() string { return "the function returned an error: " + e.Response }

// Function is a pool of processes of one function. It is safe for concurrent use.
type Function struct {
	options Options
	// free has a token for each process that may run an invocation more.
	free chan struct{}

	mu      sync.Mutex // guards what follows
	idle    []*Process // the one that was used last comes last
	all     []*Process
	old     map[*Process]bool // serve no further invocation
	started int
	closed  bool
}

// New returns a function without processes: the first invocation starts one.
func New(o Options) *Function {
	o.Concurrency = max(o.Concurrency, 1)
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	return &Function{options: o, free: make(chan struct{}, o.Concurrency), old: make(map[*Process]bool)}
}

// Invoke runs one invocation and returns the function's response. ctx bounds the
// wait for a process; the invocation itself ends by its own time-out. A process
// that does not start is an error of the invocation, as it is on Lambda.
func (f *Function) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	select {
	case f.free <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for a process of %s: %w", f.options.Name, ctx.Err())
	}
	defer func() { <-f.free }()
	for {
		p, err := f.take()
		if err != nil {
			return nil, fmt.Errorf("invoking %s: %w", f.options.Name, err)
		}
		response, err := p.invoke(event, f.options.Timeout)
		var functionError *FunctionError
		switch {
		case errors.Is(err, errEndedIdle):
			continue
		case err == nil:
			f.putBack(p)
			return response, nil
		case errors.As(err, &functionError):
			f.putBack(p)
		}
		return nil, fmt.Errorf("invoking %s: %w", f.options.Name, err)
	}
}

// errEndedIdle says that a process which was ready before has ended before it
// took an invocation: another one can have it.
var errEndedIdle = errors.New("the process ended while it was idle")

// take returns the process that was idle last, or starts one.
func (f *Function) take() (*Process, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.idle) > 0 {
		p := f.idle[len(f.idle)-1]
		f.idle = f.idle[:len(f.idle)-1]
		if !p.hasEnded() {
			return p, nil
		}
	}
	if f.closed {
		return nil, errors.New("the function is closed")
	}
	f.started++
	p, err := start(f.options, f.started, f.ended)
	if err != nil {
		return nil, err
	}
	f.all = append(f.all, p)
	return p, nil
}

func (f *Function) putBack(p *Process) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.old[p] {
		p.Kill()
		return
	}
	f.idle = append(f.idle, p)
}

// Renew has new processes serve all further invocations, as after a deployment.
// The old ones end when they are idle.
func (f *Function) Renew() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.all {
		f.old[p] = true
	}
	for _, p := range f.idle {
		p.Kill()
	}
	f.idle = nil
}

func (f *Function) ended(p *Process) {
	f.mu.Lock()
	f.all = slices.DeleteFunc(f.all, func(other *Process) bool { return other == p })
	delete(f.old, p)
	closed := f.closed
	f.mu.Unlock()
	if !closed && f.options.Ended != nil {
		f.options.Ended(p, p.killed.Load(), p.exit)
	}
}

// Processes returns all that run, the oldest first.
func (f *Function) Processes() []*Process {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.all)
}

// Started is how many processes have been started.
func (f *Function) Started() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.started
}

// Close kills all processes and waits for their end.
func (f *Function) Close() {
	f.mu.Lock()
	f.closed = true
	all := slices.Clone(f.all)
	f.mu.Unlock()
	for _, p := range all {
		p.Kill()
		<-p.done
	}
}
