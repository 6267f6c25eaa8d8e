package chaos

import (
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/data-sink/data-sink/internal/rig/redistest"
)

// relay is a proxy for one upstream that can lose bytes of live connections, close
// idle connections and change its upstream. With a certificate it terminates TLS.
// Safe for concurrent use.
type relay struct {
	listener net.Listener
	wg       sync.WaitGroup
	// carry forwards between the two connections of a pair until one ends.
	carry func(*pair)
	// losing reports whether the relay discards everything that it receives.
	losing atomic.Bool

	mu       sync.Mutex // guards the fields below
	upstream string
	pairs    map[*pair]bool
	closed   bool
}

// pair is a connection from a client and its connection to the upstream.
type pair struct {
	client, upstream net.Conn
	// raw is the client's connection below TLS.
	raw     net.Conn
	lastUse atomic.Int64 // Unix time in ns
}

func (p *pair) close() {
	_ = p.raw.Close() // without TLS's close_notify, as a server that drops a connection
	_ = p.upstream.Close()
}

// listenRelay returns a relay to upstream that listens, and accepts no connection yet.
func listenRelay(upstream string) (*relay, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting a relay to %s: %w", upstream, err)
	}
	r := &relay{listener: l, upstream: upstream, pairs: make(map[*pair]bool)}
	r.carry = r.carryBytes
	return r, nil
}

// startRelay starts a relay to upstream. certificate may be nil.
func startRelay(upstream string, certificate *tls.Certificate) (*relay, error) {
	r, err := listenRelay(upstream)
	if err == nil {
		r.accept(certificate)
	}
	return r, err
}

// accept serves connections until close.
func (r *relay) accept(certificate *tls.Certificate) {
	r.wg.Go(func() {
		for {
			raw, err := r.listener.Accept()
			if err != nil {
				return // closed
			}
			client := raw
			if certificate != nil {
				client = tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12})
			}
			r.wg.Go(func() { r.serve(raw, client) })
		}
	})
}

func (r *relay) addr() string { return r.listener.Addr().String() }

// serve connects a client to the upstream until one side closes its connection.
func (r *relay) serve(raw, client net.Conn) {
	r.mu.Lock()
	address := r.upstream
	r.mu.Unlock()
	upstream, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		_ = raw.Close()
		return
	}
	p := &pair{client: client, upstream: upstream, raw: raw}
	p.lastUse.Store(time.Now().UnixNano())
	r.mu.Lock()
	r.pairs[p] = true
	if r.closed || r.upstream != address {
		p.close()
	}
	r.mu.Unlock()
	r.carry(p)
	p.close()
	r.mu.Lock()
	delete(r.pairs, p)
	r.mu.Unlock()
}

// carryBytes forwards bytes in both directions.
func (r *relay) carryBytes(p *pair) {
	var wg sync.WaitGroup
	wg.Go(func() { r.forward(p, p.client, p.upstream) })
	r.forward(p, p.upstream, p.client)
	wg.Wait()
}

func (r *relay) forward(p *pair, from, to net.Conn) {
	defer p.close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		p.lastUse.Store(time.Now().UnixNano())
		if r.losing.Load() {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// redirect closes all connections and sends new ones to another upstream.
func (r *relay) redirect(upstream string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.upstream = upstream
	for p := range r.pairs {
		p.close()
	}
}

// closeIdle closes the connections that have been idle for a time, and returns
// their number.
func (r *relay) closeIdle(idle time.Duration) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for p := range r.pairs {
		if time.Since(time.Unix(0, p.lastUse.Load())) >= idle {
			p.close()
			n++
		}
	}
	return n
}

func (r *relay) close() {
	_ = r.listener.Close()
	r.mu.Lock()
	r.closed = true
	for p := range r.pairs {
		p.close()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

// startTLS starts the relay that terminates the TLS of ingest's connections to Redis.
func (s *suite) startTLS() error {
	cert, key, ca, err := redistest.Certificate(s.dir, "localhost")
	if err != nil {
		return err
	}
	certificate, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("loading the certificate of Redis: %w", err)
	}
	s.caFile = ca
	s.tls, err = startRelay(s.links.ingestRedis.addr(), &certificate)
	return err
}
