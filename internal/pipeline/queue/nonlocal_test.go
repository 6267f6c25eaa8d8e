package queue_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/rig/redistest"
)

// refuser is a proxy of Redis that answers a number of script calls with an error.
type refuser struct {
	addr     string
	answer   string
	refusals atomic.Int64 // how many calls it still refuses
}

func newRefuser(t *testing.T, s *redistest.Server, answer string) *refuser {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	r := &refuser{addr: l.Addr().String(), answer: answer}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", s.Addr)
			if err != nil {
				_ = client.Close()
				return
			}
			go func() { _, _ = io.Copy(client, server) }()
			go r.forward(client, server)
		}
	}()
	return r
}

// forward forwards what the client sends. go-redis sends a short command in one piece.
func (r *refuser) forward(client, server net.Conn) {
	defer func() { _, _ = client.Close(), server.Close() }()
	b := make([]byte, 64<<10)
	for {
		n, err := client.Read(b)
		if err != nil {
			return
		}
		to, what := server, b[:n]
		if bytes.Contains(what, []byte("evalsha")) && r.refusals.Add(-1) >= 0 {
			to, what = client, []byte(r.answer)
		}
		if _, err := to.Write(what); err != nil {
			return
		}
	}
}

// A serverless cache that scales refuses a script on the wrong node. The drainer's
// calls are sent once more, a push never.
func TestACallOnTheWrongNodeIsSentOnceMore(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	r := newRefuser(t, s, "-ERR Script attempted to access a non local key in a cluster node script: 1, on @user_script:1.\r\n")
	q := open(t, queue.Options{URL: "redis://" + r.addr})
	ctx := t.Context()
	push(t, q, "orders", "a", "b", "c")

	r.refusals.Store(1)
	c, err := q.Claim(ctx, "orders", "d.1", time.Hour, 1, 1<<20)
	if err != nil {
		t.Fatalf("Claim that was refused once = %v", err)
	}
	r.refusals.Store(1)
	if held, err := q.Ack(ctx, c, nil); err != nil || !held {
		t.Errorf("Ack that was refused once = %v, %v, want held", held, err)
	}
	r.refusals.Store(2)
	if _, err := q.Claim(ctx, "orders", "d.2", time.Hour, 1, 1<<20); err == nil || !strings.Contains(err.Error(), "non local key") {
		t.Errorf("Claim that was refused twice = %v, want the answer of Redis", err)
	}
	r.refusals.Store(1)
	if _, err := q.Push(ctx, "orders", []byte("d"), 0); err == nil || !strings.Contains(err.Error(), "non local key") {
		t.Errorf("Push that was refused once = %v, want the answer of Redis", err)
	}
	if state := inspect(t, q); state.Accepted != 3 {
		t.Errorf("accepted = %d, want 3", state.Accepted)
	}
}
