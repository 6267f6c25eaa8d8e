package chaos

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// wire is a proxy between one client and Redis, or one node of a cluster. It
// forwards everything and watches the claims. At a step with a trap it stops until
// the trap has done its work.
type wire struct {
	watch
	upstream string
	// nodes, in a cluster, replaces the port of each node by the port of its wire,
	// so that the client connects to the wires.
	nodes *strings.Replacer

	listener net.Listener
	wg       sync.WaitGroup
	mu       sync.Mutex // guards conns
	conns    map[net.Conn]bool
	closed   bool
}

// watch configures what a wire watches.
type watch struct {
	caller string
	// timeUp reports whether the drainer's invocation is about to end.
	timeUp  func() bool
	leasing leasing
	claims  *claimTable
	pushes  *pushTable
	traps   *traps
}

func (w *wire) listen() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening for %s: %w", w.caller, err)
	}
	w.listener, w.conns = l, make(map[net.Conn]bool)
	return nil
}

// accept serves connections until close.
func (w *wire) accept() {
	w.wg.Go(func() {
		for {
			conn, err := w.listener.Accept()
			if err != nil {
				return // closed
			}
			w.wg.Go(func() { w.serve(conn) })
		}
	})
}

func (w *wire) addr() string { return w.listener.Addr().String() }

// close closes all connections and waits until their goroutines have ended.
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

// keep registers a connection, so that close closes it.
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

// serve forwards requests and replies until one side closes its connection or a trap
// drops it.
func (w *wire) serve(drainer net.Conn) {
	w.keep(drainer)
	defer w.forget(drainer)
	redis, err := net.DialTimeout("tcp", w.upstream, time.Second)
	if err != nil {
		return
	}
	w.keep(redis)
	defer w.forget(redis)
	asked := make(chan command, 1024) // in the order of the replies
	var wg sync.WaitGroup
	wg.Go(func() {
		w.forwardRequests(drainer, redis, asked)
		close(asked)
		_ = redis.Close()
	})
	w.forwardReplies(redis, drainer, asked)
	_ = drainer.Close()
	_ = redis.Close()
	for range asked { // wait until forwardRequests has ended too
	}
	wg.Wait()
}

func (w *wire) forwardRequests(drainer, redis net.Conn, asked chan<- command) {
	r := bufio.NewReaderSize(drainer, 16<<10)
	var raw []byte
	for {
		v, bytes, err := readRESP(r, raw[:0])
		if err != nil {
			return
		}
		raw = bytes
		c := w.leasing.parseCommand(v)
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
		case pushVerb:
			if w.traps.spring(beforePush, w.caller) {
				return
			}
		}
		asked <- c
		if _, err := redis.Write(raw); err != nil {
			return
		}
	}
}

func (w *wire) forwardReplies(redis, drainer net.Conn, asked <-chan command) {
	r := bufio.NewReaderSize(redis, 64<<10)
	var raw []byte
	for {
		v, bytes, err := readRESP(r, raw[:0])
		if err != nil {
			return
		}
		raw = bytes
		if v.kind == '>' { // a push message, not a reply
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
				return // the reply never reaches the drainer
			}
			w.claims.claimed(c.claim, w.caller, len(v.items[1].items), c.at)
		case c.verb == settleVerb && v.kind == ':':
			if c.left == 0 && w.traps.spring(afterAck, w.caller) {
				return
			}
			w.claims.settled(c.claim, v.number() == 1)
		}
		if c.verb == pushVerb && len(v.items) == 3 {
			w.pushes.answered(c.record, v.items[0].number())
			if w.traps.spring(afterPush, w.caller) {
				return // the answer never reaches ingest
			}
		}
		if w.nodes != nil && (c.verb == slotsVerb || v.kind == '-') {
			raw = []byte(w.nodes.Replace(string(raw)))
		}
		if _, err := drainer.Write(raw); err != nil {
			return
		}
	}
}

// wires are the proxies between one client and all nodes.
type wires []*wire

// startWires starts a wire to each upstream. nodes are the addresses by which the
// nodes call themselves.
func startWires(as watch, upstreams, nodes []string) (wires, error) {
	var all wires
	var ports []string
	for i, upstream := range upstreams {
		w := &wire{watch: as, upstream: upstream}
		if err := w.listen(); err != nil {
			all.close()
			return nil, err
		}
		all = append(all, w)
		// The port of a node ends a line in the layout of the cluster and in
		// redirections.
		_, real, _ := strings.Cut(nodes[i], ":")
		_, own, _ := strings.Cut(w.addr(), ":")
		ports = append(ports, ":"+real+"\r\n", ":"+own+"\r\n")
	}
	for _, w := range all {
		if len(all) > 1 {
			w.nodes = strings.NewReplacer(ports...)
		}
		w.accept()
	}
	return all, nil
}

// url returns the URL that the client connects to.
func (all wires) url() string {
	url := "redis://" + all[0].addr()
	if len(all) > 1 {
		url += "?cluster=true"
	}
	return url
}

func (all wires) close() {
	for _, w := range all {
		w.close()
	}
}

type verb int

const (
	otherVerb verb = iota
	claimVerb
	settleVerb // ack or release
	pushVerb   // a push with a key
	slotsVerb  // CLUSTER SLOTS
)

// command is the part of a Redis command that the suite needs.
type command struct {
	verb verb
	// claim is the key of the claim. Ids are unique within a stream only.
	claim string
	left  int // records that a release returns to the queue
	// record is the number of the record that a push with a key pushes.
	record int
	at     time.Time
}

// parseCommand recognises the scripts of the drainer, and pushes with a key, by their
// keys.
func (l leasing) parseCommand(v respValue) command {
	if len(v.items) == 2 && bytes.EqualFold(v.items[0].text, []byte("cluster")) && bytes.EqualFold(v.items[1].text, []byte("slots")) {
		return command{verb: slotsVerb}
	}
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
	if n == 5 && bytes.HasSuffix(keys[3].text, []byte("}:once")) {
		envelope := args[len(args)-1].text
		number, _, ok := parseHeader(envelope[max(0, bytes.Index(envelope, []byte(bodyBegin))):])
		if ok {
			return command{verb: pushVerb, record: number}
		}
	}
	c := command{}
	for _, key := range keys {
		if isClaim(key) {
			c.claim = string(key.text)
		}
	}
	switch {
	case n == 3 && isClaim(keys[1]):
		c.verb = settleVerb // ack
	case n == 4 && isClaim(keys[2]) && len(args) == 4 &&
		args[1].number() == int(l.lease.Milliseconds()) && args[2].number() == l.records && args[3].number() == l.bytes:
		c.verb = claimVerb
	case n == 4 && isClaim(keys[2]) && len(args) > 1:
		c.verb, c.left = settleVerb, args[1].number() // release
	}
	return c
}
