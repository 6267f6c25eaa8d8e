package chaos

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// condition is what a way does with what is sent on it.
type condition int32

const (
	// whole forwards everything.
	whole condition = iota
	// cut closes all connections, and each new one.
	cut
	// slow delays answers.
	slow
	// unanswered discards answers, while connections stay open.
	unanswered
	// partitioned discards everything, while connections stay open.
	partitioned
)

// way is the network path to one address, under faults. Safe for concurrent use.
type way struct {
	mu        sync.Mutex // guards the fields below
	upstream  string
	condition condition
	pairs     map[*pair]bool
}

func newWay(upstream string) *way { return &way{upstream: upstream, pairs: make(map[*pair]bool)} }

// set changes the condition. Connections that may have lost bytes are closed.
func (w *way) set(c condition) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c == cut || w.condition >= unanswered {
		w.closeAll()
	}
	w.condition = c
}

// redirect closes all connections, and lets new ones lead to another upstream.
func (w *way) redirect(upstream string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.upstream = upstream
	w.closeAll()
}

// closeAll closes all connections. The caller holds the lock.
func (w *way) closeAll() {
	for p := range w.pairs {
		p.close()
	}
}

// closeIdle closes the connections that have been idle for a time, and returns their
// number.
func (w *way) closeIdle(idle time.Duration) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for p := range w.pairs {
		if time.Since(time.Unix(0, p.lastUse.Load())) >= idle {
			p.close()
			n++
		}
	}
	return n
}

// connect connects a client to the upstream.
func (w *way) connect(client net.Conn) (*pair, error) {
	w.mu.Lock()
	address, condition := w.upstream, w.condition
	w.mu.Unlock()
	if condition == cut {
		return nil, fmt.Errorf("connecting to %s: the way is cut", address)
	}
	upstream, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return nil, err
	}
	p := &pair{Conn: upstream, client: client, way: w}
	p.lastUse.Store(time.Now().UnixNano())
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pairs[p] = true
	if w.condition == cut || w.upstream != address {
		p.close()
	}
	return p, nil
}

// end closes a pair.
func (w *way) end(p *pair) {
	p.close()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.pairs, p)
}

// pair is a client's connection and its connection to the upstream. Read and Write
// use the latter under the condition of the way.
type pair struct {
	net.Conn
	client  net.Conn
	way     *way
	lastUse atomic.Int64 // Unix time in ns
	// asked reports whether a request has been written since the last answer.
	asked atomic.Bool
}

// Read reads what the upstream sends.
func (p *pair) Read(b []byte) (int, error) {
	for {
		n, err := p.Conn.Read(b)
		if err != nil {
			return n, err
		}
		switch first := p.asked.Swap(false); p.use() {
		case unanswered, partitioned:
			continue
		case slow:
			if first {
				time.Sleep(slowest/5 + rand.N(slowest*4/5))
			}
		}
		return n, nil
	}
}

// Write writes to the upstream.
func (p *pair) Write(b []byte) (int, error) {
	p.asked.Store(true)
	if p.use() == partitioned {
		return len(b), nil
	}
	return p.Conn.Write(b)
}

// use records a use, and returns the condition of the way.
func (p *pair) use() condition {
	p.lastUse.Store(time.Now().UnixNano())
	p.way.mu.Lock()
	defer p.way.mu.Unlock()
	return p.way.condition
}

// slowest is the longest delay of an answer on a slow way.
const slowest = 250 * time.Millisecond

// close closes both connections below TLS, as a network does: without close_notify.
func (p *pair) close() {
	_ = p.client.Close()
	_ = p.Conn.Close()
}

// forward forwards bytes in both directions until one side closes its connection.
// client is the client's connection above TLS.
func forward(client net.Conn, p *pair) {
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(p, client)
		p.close()
	})
	_, _ = io.Copy(client, p)
	p.close()
	wg.Wait()
}
