package local

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// maxConnections is how many callers have a connection that is looked at. Each
// costs about 25 kB. All others wait with theirs in the kernel.
const maxConnections = 512

const (
	// idleEnough is how long a connection must have been idle, or open without a
	// first request, before it is ended for the sake of another: a client that is
	// about to use it would see that as an error.
	idleEnough = 20 * time.Second
	// lookForIdle is the pause between two looks for such a connection.
	lookForIdle = 250 * time.Millisecond
)

// boundedListener accepts no more connections than it has slots. While there is
// none left, connections end with the answer to their request, and those that
// have been idle are ended.
type boundedListener struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	close  func() error

	mu   sync.Mutex
	idle map[net.Conn]time.Time // since when
}

func newBoundedListener(l net.Listener, connections int) *boundedListener {
	b := &boundedListener{
		Listener: l, slots: make(chan struct{}, connections), closed: make(chan struct{}), idle: make(map[net.Conn]time.Time),
	}
	b.close = sync.OnceValue(func() error {
		close(b.closed)
		return l.Close()
	})
	return b
}

// Accept waits for a slot, and then for a connection.
func (b *boundedListener) Accept() (net.Conn, error) {
	for taken := false; !taken; {
		select {
		case b.slots <- struct{}{}:
			taken = true
		case <-b.closed:
			return nil, net.ErrClosed
		case <-time.After(lookForIdle):
			b.endIdle()
		}
	}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.slots
		return nil, err
	}
	release := sync.OnceFunc(func() { <-b.slots })
	if tcp, ok := c.(*net.TCPConn); ok {
		return &boundedTCP{TCPConn: tcp, release: release}, nil
	}
	return &boundedConn{Conn: c, release: release}, nil
}

// Close stops to accept; connections stay.
func (b *boundedListener) Close() error { return b.close() }

func (b *boundedListener) full() bool { return len(b.slots) == cap(b.slots) }

// endIdle has the server end the connections on which nothing has happened for a
// while. It stops their wait for a request: to close them here could cut off the
// answer to one that has just come.
func (b *boundedListener) endIdle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c, since := range b.idle {
		if time.Since(since) >= idleEnough {
			delete(b.idle, c)
			_ = c.SetReadDeadline(since) // One that has ended already has no deadline to set.
		}
	}
}

// state is the server's hook for what becomes of its connections.
func (b *boundedListener) state(c net.Conn, now http.ConnState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now == http.StateNew || now == http.StateIdle {
		b.idle[c] = time.Now()
	} else {
		delete(b.idle, c)
	}
}

// fair has answers tell clients that the connection ends while others wait for a
// slot.
func (b *boundedListener) fair(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(&fairWriter{ResponseWriter: w, listener: b}, r)
	})
}

type fairWriter struct {
	http.ResponseWriter
	listener *boundedListener
}

func (w *fairWriter) WriteHeader(status int) {
	if w.listener.full() {
		w.Header().Set("Connection", "close")
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController find the connection.
func (w *fairWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// boundedTCP keeps the methods of a TCP connection: the server half-closes it, so
// that a client that still sends can read a refusal.
type boundedTCP struct {
	*net.TCPConn
	release func()
}

func (c *boundedTCP) Close() error {
	defer c.release()
	return c.TCPConn.Close()
}

type boundedConn struct {
	net.Conn
	release func()
}

func (c *boundedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
