package chaos

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/queue"
	"github.com/data-sink/data-sink/internal/queue/redistest"
)

// redisServer is the cache behind the service: a real one, which has written a
// record to its file before it answers.
type redisServer struct {
	server *redistest.Server
	// queue is the suite's own way to the queues, around all links.
	queue *queue.Queue
}

func startRedis(dir string) (*redisServer, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("starting Redis: %w", err)
	}
	server, err := redistest.Run(dir, "--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction")
	if err != nil {
		return nil, err
	}
	q, err := queue.Open(queue.Options{Deployment: deployment, URL: server.URL, PushTimeout: 5 * time.Second})
	if err != nil {
		server.Kill()
		return nil, err
	}
	return &redisServer{server: server, queue: q}, nil
}

func (r *redisServer) addr() string { return r.server.Addr }

func (r *redisServer) close() {
	_ = r.queue.Close()
	r.server.Kill()
	_ = os.RemoveAll(filepath.Dir(r.server.Socket)) // it is outside of the run's folder
}

// do runs a command on a connection of its own.
func (r *redisServer) do(args ...string) (respValue, error) {
	conn, err := net.DialTimeout("unix", r.server.Socket, 5*time.Second)
	if err != nil {
		return respValue{}, fmt.Errorf("calling Redis: %w", err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second)) // of a socket: it does
	if _, err := conn.Write(appendCommand(nil, args...)); err != nil {
		return respValue{}, fmt.Errorf("calling Redis: %w", err)
	}
	answer, raw, err := readRESP(bufio.NewReader(conn), nil)
	if err != nil {
		return respValue{}, fmt.Errorf("calling Redis: %w", err)
	}
	if answer.kind == '-' {
		return respValue{}, fmt.Errorf("calling Redis: %s", answer.text)
	}
	if answer.kind == '$' && answer.text == nil { // a long one
		_, text, _ := strings.Cut(string(raw), "\r\n")
		answer.text = []byte(text)
	}
	return answer, nil
}

// usedMemory is what counts against maxmemory, in bytes.
func (r *redisServer) usedMemory() (int, error) {
	info, err := r.do("INFO", "memory")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(info.text)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "used_memory:"); ok {
			return strconv.Atoi(value)
		}
	}
	return 0, fmt.Errorf("calling Redis: INFO has no used_memory")
}

// limitMemory sets maxmemory; 0 for no limit.
func (r *redisServer) limitMemory(bytes int) error {
	_, err := r.do("CONFIG", "SET", "maxmemory", strconv.Itoa(bytes))
	return err
}
