package gateway

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// maxConnections bounds the accepted connections. Each costs about 25 kB. Further
// connections wait in the kernel.
const maxConnections = 512

const (
	// idleEnough is how long a connection must have been idle, or open without a
	// first request, before it is ended so that another one can be accepted. A
	// client that is about to use the connection sees an error.
	idleEnough = 20 * time.Second
	// idleCheck is the pause between two searches for such connections.
	idleCheck = 250 * time.Millisecond
)

// boundedListener accepts no more connections than it has slots. While all slots
// are taken, a connection ends after the response to its request, and idle
// connections are ended.
type boundedListener struct {
	*net.TCPListener
	slots  chan struct{}
	closed chan struct{}
	close  func() error

	mu   sync.Mutex
	idle map[net.Conn]time.Time // the time since which the connection is idle
}

// Bound returns a listener that bounds the number of the server's connections. It
// sets the server's ConnState and wraps its Handler, so it must be called before
// the server is started. Close stops accepting and leaves connections open.
func Bound(l *net.TCPListener, s *http.Server) net.Listener { return bound(l, s, maxConnections) }

func bound(l *net.TCPListener, s *http.Server, connections int) *boundedListener {
	b := &boundedListener{
		TCPListener: l, slots: make(chan struct{}, connections), closed: make(chan struct{}), idle: make(map[net.Conn]time.Time),
	}
	b.close = sync.OnceValue(func() error {
		close(b.closed)
		return l.Close()
	})
	s.ConnState = b.trackState
	s.Handler = b.endWhenFull(s.Handler)
	return b
}

// Accept waits for a slot and then for a connection.
func (b *boundedListener) Accept() (net.Conn, error) {
	for taken := false; !taken; {
		select {
		case b.slots <- struct{}{}:
			taken = true
		case <-b.closed:
			return nil, net.ErrClosed
		case <-time.After(idleCheck):
			b.endIdle()
		}
	}
	c, err := b.AcceptTCP()
	if err != nil {
		<-b.slots
		return nil, err
	}
	return &boundedConn{TCPConn: c, release: sync.OnceFunc(func() { <-b.slots })}, nil
}

// Close stops accepting. Connections stay open.
func (b *boundedListener) Close() error { return b.close() }

func (b *boundedListener) isFull() bool { return len(b.slots) == cap(b.slots) }

// endIdle ends the connections that have been idle for idleEnough. It sets a read
// deadline in the past, so that the server closes the connection. Closing it here
// could cut off the response to a request that has just arrived.
func (b *boundedListener) endIdle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c, since := range b.idle {
		if time.Since(since) >= idleEnough {
			delete(b.idle, c)
			_ = c.SetReadDeadline(since) // It fails only on a closed connection.
		}
	}
}

// trackState is the server's ConnState.
func (b *boundedListener) trackState(c net.Conn, state http.ConnState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if state == http.StateNew || state == http.StateIdle {
		b.idle[c] = time.Now()
	} else {
		delete(b.idle, c)
	}
}

// endWhenFull adds "Connection: close" to responses while no slot is free.
func (b *boundedListener) endWhenFull(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(&endingWriter{ResponseWriter: w, listener: b}, r)
	})
}

type endingWriter struct {
	http.ResponseWriter
	listener *boundedListener
}

func (w *endingWriter) WriteHeader(status int) {
	w.endWhenFull()
	w.ResponseWriter.WriteHeader(status)
}

// Write writes a part of the body, after the header if a handler has not written it.
func (w *endingWriter) Write(p []byte) (int, error) {
	w.endWhenFull()
	return w.ResponseWriter.Write(p)
}

func (w *endingWriter) endWhenFull() {
	if w.listener.isFull() {
		w.Header().Set("Connection", "close")
	}
}

// Unwrap lets http.ResponseController find the connection.
func (w *endingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// boundedConn frees its slot when it is closed. It has the methods of a TCP
// connection, because the server half-closes it, so that a client that is still
// sending can read a refusal.
type boundedConn struct {
	*net.TCPConn
	release func()
}

// Close closes the connection and frees its slot.
func (c *boundedConn) Close() error {
	defer c.release()
	return c.TCPConn.Close()
}
