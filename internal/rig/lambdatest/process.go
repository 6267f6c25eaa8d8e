package lambdatest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"
)

// Process is one process of a function. Its methods are safe for concurrent use.
type Process struct {
	// Number is the number of the process, as in Options.Env.
	Number int

	arn   string
	cmd   *exec.Cmd
	api   *http.Server
	begun time.Time

	cold   atomic.Int64 // time.Duration from the start to the first call of next
	work   chan *invocation
	killed atomic.Bool

	done chan struct{} // closed when the process has ended
	exit error         // set when done is closed

	mu      sync.Mutex // guards current
	current *invocation

	old bool // serves no further invocation; guarded by the lock of the function
}

// start starts a process with its own Runtime API.
func start(o Options, number int, ended func(*Process)) (*Process, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting process %d: %w", number, err)
	}
	p := &Process{
		Number: number, arn: "arn:aws:lambda:us-east-1:000000000000:function:" + o.Name,
		work: make(chan *invocation), done: make(chan struct{}),
	}
	p.api = &http.Server{Handler: p.routes(), ReadHeaderTimeout: time.Minute}
	p.cmd = exec.Command(o.Bootstrap)
	p.cmd.Dir = o.Dir
	p.cmd.Env = []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "TZ=:UTC", "LANG=en_US.UTF-8",
		"AWS_LAMBDA_RUNTIME_API=" + l.Addr().String(), "AWS_LAMBDA_FUNCTION_NAME=" + o.Name, "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=1769", "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand", "LAMBDA_TASK_ROOT=" + o.Dir, "_HANDLER=bootstrap",
		"AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
	}
	if o.Env != nil {
		p.cmd.Env = append(p.cmd.Env, o.Env(number)...)
	}
	p.cmd.Stdout, p.cmd.Stderr = o.Output, o.Output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.begun = time.Now()
	if err := p.cmd.Start(); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("starting process %d: %w", number, err)
	}
	go func() { _ = p.api.Serve(l) }() // until the process ends
	go func() {
		p.exit = p.cmd.Wait()
		_ = p.api.Close()
		close(p.done)
		ended(p)
	}()
	return p, nil
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// ColdStart returns the time from the start of the process to its first call of the
// Runtime API, or 0 if it has not called yet.
func (p *Process) ColdStart() time.Duration { return time.Duration(p.cold.Load()) }

// Kill ends the process with SIGKILL.
func (p *Process) Kill() {
	p.killed.Store(true)
	_ = p.cmd.Process.Kill() // It may have ended.
}

// Freeze stops the process with SIGSTOP until Thaw. Its connections stay open and
// its clock runs on. Freeze returns when all threads have stopped.
func (p *Process) Freeze() {
	_ = p.cmd.Process.Signal(syscall.SIGSTOP)
	for !p.hasEnded() && !p.hasStopped() {
		time.Sleep(time.Millisecond)
	}
}

// hasStopped reports whether all threads are stopped.
func (p *Process) hasStopped() bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.PID()))
	if err != nil || len(threads) == 0 {
		return true // the process has ended
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		// "<id> (<name>) <state> …"
		if _, state, ok := bytes.Cut(stat, []byte(") ")); err == nil && ok && !bytes.ContainsAny(state[:1], "TtZX") {
			return false
		}
	}
	return true
}

// Thaw continues a frozen process.
func (p *Process) Thaw() { _ = p.cmd.Process.Signal(syscall.SIGCONT) }

// Deadline returns the deadline of the current invocation; zero if the process is
// idle.
func (p *Process) Deadline() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil {
		return time.Time{}
	}
	return p.current.deadline
}

func (p *Process) hasEnded() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// invoke passes an invocation to the process and waits for its result.
func (p *Process) invoke(event []byte, timeout time.Duration) ([]byte, error) {
	inv := &invocation{id: uuid.NewString(), event: event, timeout: timeout, answered: make(chan struct{})}
	startup := time.NewTimer(initTimeout)
	defer startup.Stop()
	select {
	case p.work <- inv:
	case <-p.done:
		if p.ColdStart() > 0 {
			return nil, errEndedIdle
		}
		return nil, p.endedError()
	case <-startup.C:
		p.Kill()
		return nil, fmt.Errorf("%w: it did not ask for an invocation", ErrTimedOut)
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-inv.answered:
	case <-p.done:
		select {
		case <-inv.answered: // the answer came just before the end
		default:
			return nil, p.endedError()
		}
	case <-timer.C:
		p.Kill()
		return nil, ErrTimedOut
	}
	return inv.response, inv.err
}

// initTimeout is how long Lambda waits for a process to initialize.
const initTimeout = 10 * time.Second

func (p *Process) endedError() error {
	var exit *exec.ExitError
	if errors.As(p.exit, &exit) {
		return fmt.Errorf("%w: %s", ErrProcessEnded, strings.TrimSpace(exit.Error()))
	}
	return ErrProcessEnded
}
