//go:build e2e

package e2e_test

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a child process together with the processes that it starts.
type process struct {
	log  *output
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	err  error         // how the process ended; valid once done is closed
}

// start starts a command in its own process group and kills the group at the end of
// the test. If the test binary is killed, the kernel kills the command.
func start(tb testing.TB, cmd *exec.Cmd) *process {
	tb.Helper()
	p := &process{log: new(output), cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	// Processes that outlive the command may keep its output open.
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		tb.Fatalf("starting %s: %v", cmd.Path, err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	tb.Cleanup(p.end)
	return p
}

// run runs a command and returns its output. It fails the test if the command
// fails or takes longer than limit.
func run(tb testing.TB, limit time.Duration, cmd *exec.Cmd) string {
	tb.Helper()
	output, err := try(tb, limit, cmd)
	if err != nil {
		tb.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, output)
	}
	return output
}

// try runs a command and returns its output, and an error if the command fails or
// takes longer than limit.
func try(tb testing.TB, limit time.Duration, cmd *exec.Cmd) (string, error) {
	tb.Helper()
	p := start(tb, cmd)
	err := errors.New("it took too long")
	select {
	case <-p.done:
		err = p.err
	case <-time.After(limit):
		p.end()
	}
	return p.log.String(), err
}

// end kills the process group and waits for the process.
func (p *process) end() {
	select {
	case <-p.done:
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // It may have ended just now.
		<-p.done
	}
}

// output collects what a process writes. It is safe for concurrent use.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// tail returns the last lines of the output.
func (o *output) tail(lines int) string {
	all := strings.SplitAfter(o.String(), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "")
}
