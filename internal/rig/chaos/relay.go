package chaos

import (
	"crypto/tls"
	"fmt"
	"net"
	"sync"
)

// relay is a listener whose clients reach the upstream of a way.
type relay struct {
	way      *way
	listener net.Listener
	// certificate, if not nil, lets the relay terminate TLS.
	certificate *tls.Certificate
	wg          sync.WaitGroup
}

// newRelay returns a relay that listens, and accepts no connection yet.
func newRelay(w *way) (*relay, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting a relay to %s: %w", w.upstream, err)
	}
	return &relay{way: w, listener: l}, nil
}

// startRelay starts a relay that forwards bytes. certificate may be nil.
func startRelay(w *way, certificate *tls.Certificate) (*relay, error) {
	r, err := newRelay(w)
	if err != nil {
		return nil, err
	}
	r.certificate = certificate
	r.accept(forward)
	return r, nil
}

func (r *relay) addr() string { return r.listener.Addr().String() }

// redisURL returns the URL of a Redis behind the relay.
func (r *relay) redisURL() string {
	if r.certificate != nil {
		return "rediss://" + r.addr()
	}
	return "redis://" + r.addr()
}

// accept accepts connections until close, and lets carry forward between each client
// and its pair until one of them ends.
func (r *relay) accept(carry func(client net.Conn, p *pair)) {
	r.wg.Go(func() {
		for {
			conn, err := r.listener.Accept()
			if err != nil {
				return // closed
			}
			client := conn
			if r.certificate != nil {
				client = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{*r.certificate}, MinVersion: tls.VersionTLS12})
			}
			r.wg.Go(func() {
				p, err := r.way.connect(conn)
				if err != nil {
					_ = conn.Close()
					return
				}
				carry(client, p)
				r.way.end(p)
			})
		}
	})
}

// close ends the relay. Its clients end first.
func (r *relay) close() {
	_ = r.listener.Close()
	r.wg.Wait()
}
