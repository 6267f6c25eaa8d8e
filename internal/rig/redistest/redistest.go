// Package redistest runs real redis-server processes for tests.
package redistest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Server is a redis-server process. Its methods are not safe for concurrent use.
type Server struct {
	// Addr is the address on loopback, Socket the path of the unix socket.
	Addr, Socket string
	// URL is redis://Addr.
	URL string

	args []string
	log  bytes.Buffer
	cmd  *exec.Cmd
	done chan error
}

// Start runs a redis-server until the test ends. It stores nothing on disk, unless
// args say so. The args are arguments of redis-server. A missing binary fails the
// test.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	s, err := Run(tb.TempDir(), args...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Remove)
	return s
}

// Run is Start for programs that are not tests. dir is a folder for the server's files,
// empty or absent. The caller ends the server with Remove.
func Run(dir string, args ...string) (*Server, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, errors.New("redis-server is not installed: it is in Debian's package redis-server (apt-get install redis-server)")
	}
	// The path of a socket has at most 108 bytes, fewer than some temporary folders.
	sockets, socketsErr := os.MkdirTemp("", "redis")
	port, portErr := freePort()
	if err := errors.Join(socketsErr, portErr, os.MkdirAll(dir, 0o755)); err != nil {
		return nil, fmt.Errorf("starting redis-server: %w", err)
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	s := &Server{Addr: addr, URL: "redis://" + addr, Socket: filepath.Join(sockets, "s")}
	s.args = append([]string{
		"--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--unixsocket", s.Socket,
		"--dir", dir, "--save", "", "--appendonly", "no", "--loglevel", "warning",
	}, args...)
	if err := s.Restart(); err != nil {
		return nil, err
	}
	return s, nil
}

// Restart starts the server on its old address after Kill, and waits until
// it answers. It loads what the server had on disk.
func (s *Server) Restart() error {
	s.log.Reset()
	s.cmd = exec.Command("redis-server", s.args...)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	// The server ends with the test binary, even when that is killed.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("starting redis-server: %w", err)
	}
	s.done = make(chan error, 1)
	go func(cmd *exec.Cmd, done chan<- error) { done <- cmd.Wait() }(s.cmd, s.done)
	return s.awaitReady()
}

func (s *Server) awaitReady() error {
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: s.Socket, MaxRetries: -1})
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		err := client.Ping(ctx).Err()
		// A server that requires a password answers too.
		if err == nil || redis.IsAuthError(err) {
			return nil
		}
		select {
		case exit := <-s.done:
			s.done <- exit
			return fmt.Errorf("redis-server ended (%w): %s", exit, s.log.String())
		case <-ctx.Done():
			return fmt.Errorf("redis-server does not answer: %w", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Kill ends the server with SIGKILL: it loses what it has not written.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // It may have ended.
	exit := <-s.done
	s.done <- exit
}

// Remove ends the server with Kill and deletes the folder of its socket.
func (s *Server) Remove() {
	s.Kill()
	_ = os.RemoveAll(filepath.Dir(s.Socket)) // An empty folder may be left.
}

// Freeze stops the process without ending it: connections stay open and nothing is
// answered. Thaw continues it.
func (s *Server) Freeze() { _ = s.cmd.Process.Signal(syscall.SIGSTOP) }

// Thaw ends Freeze.
func (s *Server) Thaw() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }

// PID returns the server's process id.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// freePort finds a free port below 32768. Linux gives ports from there on to
// outgoing connections (net.ipv4.ip_local_port_range), so a connection could take
// the port of a server that is down.
func freePort() (int, error) {
	const first, last = 10_000, 32_767
	for tries := 100; ; tries-- {
		port := first + rand.IntN(last-first+1)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
		if tries == 0 {
			return 0, err
		}
	}
}
