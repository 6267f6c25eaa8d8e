package local

import (
	"net"
	"net/http"
	"sync"
)

// maxConnections is how many callers have a connection that is looked at. Each
// costs about 25 kB. All others wait with theirs in the kernel.
const maxConnections = 512

// boundedListener accepts no more connections than it has slots.
type boundedListener struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	close  func() error
}

func newBoundedListener(l net.Listener, connections int) *boundedListener {
	b := &boundedListener{Listener: l, slots: make(chan struct{}, connections), closed: make(chan struct{})}
	b.close = sync.OnceValue(func() error {
		close(b.closed)
		return l.Close()
	})
	return b
}

// Accept waits for a slot, and then for a connection.
func (b *boundedListener) Accept() (net.Conn, error) {
	select {
	case b.slots <- struct{}{}:
	case <-b.closed:
		return nil, net.ErrClosed
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

// fair gives the slots of callers that have had their answer to those that wait:
// while there is none left, a connection ends with the answer to its request.
func (b *boundedListener) fair(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(b.slots) == cap(b.slots) {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
}

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
