package chaos

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

// wire is one drainer's way to Redis: it passes everything on and watches the
// claims go by. At a step with a trap it stops until the trap has done its work.
type wire struct {
	caller string
	// timeUp reports whether the drainer's invocation is near its end.
	timeUp   func() bool
	upstream string
	claims   *claimTable
	traps    *traps

	listener net.Listener
	wg       sync.WaitGroup
	mu       sync.Mutex // guards conns
	conns    map[net.Conn]bool
	closed   bool
}

func (w *wire) listen() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening for %s: %w", w.caller, err)
	}
	w.listener, w.conns = l, make(map[net.Conn]bool)
	w.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			w.wg.Go(func() { w.serve(conn) })
		}
	})
	return nil
}

func (w *wire) addr() string { return w.listener.Addr().String() }

// close cuts all connections.
func (w *wire) close() {
	_ = w.listener.Close()
	w.mu.Lock()
	w.closed = true
	for conn := range w.conns {
		_ = conn.Close()
	}
	w.mu.Unlock()
	w.wg.Wait()
}

// keep registers a connection to be closed with the wire.
func (w *wire) keep(conn net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[conn] = true
	if w.closed {
		_ = conn.Close()
	}
}

func (w *wire) forget(conn net.Conn) {
	_ = conn.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, conn)
}

// serve passes requests and answers on until one side ends or a trap ends it.
func (w *wire) serve(drainer net.Conn) {
	w.keep(drainer)
	defer w.forget(drainer)
	redis, err := net.DialTimeout("tcp", w.upstream, time.Second)
	if err != nil {
		return
	}
	w.keep(redis)
	defer w.forget(redis)
	asked := make(chan command, 1024) // in the order of the answers
	var wg sync.WaitGroup
	wg.Go(func() {
		w.passRequests(drainer, redis, asked)
		close(asked)
		_ = redis.Close()
	})
	w.passAnswers(redis, drainer, asked)
	_ = drainer.Close()
	_ = redis.Close()
	for range asked { // until the requests' side has ended too
	}
	wg.Wait()
}

func (w *wire) passRequests(drainer, redis net.Conn, asked chan<- command) {
	r := bufio.NewReaderSize(drainer, 16<<10)
	var raw []byte
	for {
		v, bytes, err := readRESP(r, raw[:0])
		if err != nil {
			return
		}
		raw = bytes
		c := parseCommand(v)
		c.at = time.Now()
		switch c.verb {
		case claimVerb:
			if w.traps.spring(beforeClaim, w.caller) {
				return
			}
		case settleVerb:
			if c.left == 0 && w.traps.spring(beforeAck, w.caller) {
				return
			}
			w.claims.asked(c.claim, c.left, w.timeUp())
		}
		asked <- c
		if _, err := redis.Write(raw); err != nil {
			return
		}
	}
}

func (w *wire) passAnswers(redis, drainer net.Conn, asked <-chan command) {
	r := bufio.NewReaderSize(redis, 64<<10)
	var raw []byte
	for {
		v, bytes, err := readRESP(r, raw[:0])
		if err != nil {
			return
		}
		raw = bytes
		if v.kind == '>' { // no answer, a push
			if _, err := drainer.Write(raw); err != nil {
				return
			}
			continue
		}
		c, ok := <-asked
		if !ok {
			return
		}
		switch {
		case c.verb == claimVerb && len(v.items) == 2 && len(v.items[1].items) > 0:
			if w.traps.spring(afterClaim, w.caller) {
				return // The drainer never learns of it.
			}
			w.claims.claimed(c.claim, w.caller, len(v.items[1].items), c.at)
		case c.verb == settleVerb && v.kind == ':':
			if c.left == 0 && w.traps.spring(afterAck, w.caller) {
				return
			}
			w.claims.settled(c.claim, v.number() == 1)
		}
		if _, err := drainer.Write(raw); err != nil {
			return
		}
	}
}

type verb int

const (
	otherVerb verb = iota
	claimVerb
	settleVerb // ack or release
)

// command is what the suite has to know of a command.
type command struct {
	verb  verb
	claim string
	left  int // records that a release returns
	at    time.Time
}

// parseCommand knows the drainers' scripts by the keys that each gets: the
// queue's design says which those are.
func parseCommand(v respValue) command {
	if len(v.items) < 4 {
		return command{}
	}
	name := string(bytes.ToLower(v.items[0].text))
	n := v.items[2].number()
	if name != "evalsha" && name != "eval" || n < 3 || len(v.items) < 3+n+1 {
		return command{}
	}
	keys, args := v.items[3:3+n], v.items[3+n:]
	isClaim := func(key respValue) bool { return bytes.Contains(key.text, []byte("}:claim:")) }
	c := command{claim: string(args[0].text)}
	switch {
	case n == 3 && isClaim(keys[1]):
		c.verb = settleVerb // ack
	case n == 4 && isClaim(keys[2]) && len(args) == 4 &&
		args[1].number() == int(lease.Milliseconds()) && args[2].number() == claimRecords && args[3].number() == claimBytes:
		c.verb = claimVerb
	case n == 4 && isClaim(keys[2]) && len(args) > 1:
		c.verb, c.left = settleVerb, args[1].number() // release
	}
	return c
}

// milliseconds is how a setting of the functions is written.
func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) + "ms" }
