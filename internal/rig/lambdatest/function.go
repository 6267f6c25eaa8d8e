// Package lambdatest runs the bootstrap of a function as AWS Lambda does. Each
// process serves one invocation at a time from the Runtime API. A new process starts
// when all others are busy, and is kept for later invocations.
//
// A process can be killed or frozen at any moment. All processes end with Close, and
// when the process that started them ends, even by SIGKILL. Unlike on Lambda, a
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

// Options configure a Function.
type Options struct {
	// Name is the name of the function.
	Name string
	// Bootstrap is the path of the binary. Dir is its working directory, the folder
	// of the function's asset.
	Bootstrap, Dir string
	// Env returns the variables of a process, as "NAME=value", in addition to those
	// that Lambda sets. It is called for each process; processes are numbered from
	// 1. May be nil.
	Env func(process int) []string
	// Concurrency is the maximum number of processes. Default 1.
	Concurrency int
	// Timeout is the time-out of an invocation, after which its process is killed.
	// Default 30 s.
	Timeout time.Duration
	// Output receives what the processes print; nil discards it. It is written to
	// concurrently unless it is an *os.File.
	Output io.Writer
	// Ended, if set, is called for every process that ends before Close. killed
	// reports whether Kill, Renew or the time-out ended it.
	Ended func(p *Process, killed bool, err error)
}

// ErrProcessEnded means that the process ended before it answered. ErrTimedOut means
// that it was killed because the invocation took too long. Effects of the invocation
// before that remain.
var (
	ErrProcessEnded = errors.New("the function's process ended")
	ErrTimedOut     = errors.New("the invocation timed out")
)

// FunctionError is an error that the function returned.
type FunctionError struct {
	// Response is the error in the form of the Runtime API, a JSON object.
	Response string
}

func (e *FunctionError) Error() string { return "the function returned an error: " + e.Response }

// Function is a pool of processes of one function. It is safe for concurrent use.
type Function struct {
	options Options
	// free holds a token for each running invocation.
	free chan struct{}

	mu      sync.Mutex // guards the fields below
	idle    []*Process // in the order of last use
	all     []*Process
	started int
	closed  bool
}

// New returns a function without processes. The first invocation starts one.
func New(o Options) *Function {
	o.Concurrency = max(o.Concurrency, 1)
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	return &Function{options: o, free: make(chan struct{}, o.Concurrency)}
}

// Invoke runs one invocation and returns the function's response. ctx limits the
// wait for a process; the invocation itself is limited by Options.Timeout. If a
// process does not start, the invocation fails, as on Lambda.
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

// errEndedIdle means that an idle process ended before it received the invocation.
// Another process can serve it.
var errEndedIdle = errors.New("the process ended while it was idle")

// take returns the process that became idle last, or starts one.
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
	if p.old {
		p.Kill()
		return
	}
	f.idle = append(f.idle, p)
}

// Renew makes new processes serve all further invocations, as a deployment does. Old
// processes end when they are idle.
func (f *Function) Renew() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.all {
		p.old = true
	}
	for _, p := range f.idle {
		p.Kill()
	}
	f.idle = nil
}

func (f *Function) ended(p *Process) {
	f.mu.Lock()
	f.all = slices.DeleteFunc(f.all, func(other *Process) bool { return other == p })
	closed := f.closed
	f.mu.Unlock()
	if !closed && f.options.Ended != nil {
		f.options.Ended(p, p.killed.Load(), p.exit)
	}
}

// Processes returns the running processes, oldest first.
func (f *Function) Processes() []*Process {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.all)
}

// Started returns the number of processes that have been started.
func (f *Function) Started() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.started
}

// Close kills all processes and waits until they have ended.
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
