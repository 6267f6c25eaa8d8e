package chaos

import (
	"bufio"
	"net"
	"strings"
	"sync"
	"time"
)

// proxy is a relay between one client and Redis, or one node of a cluster. It watches
// the claims. At a step with a trap it stops until the trap has done its work.
type proxy struct {
	watch
	*relay
	// nodes, in a cluster, replaces the port of each node by the port of its proxy,
	// so that the client connects to the proxies.
	nodes *strings.Replacer
}

// watch configures what a proxy watches.
type watch struct {
	caller string
	// timeUp reports whether the drainer's invocation is about to end.
	timeUp  func() bool
	leasing leasing
	claims  *claimTable
	pushes  *pushTable
	traps   *traps
}

// carryCommands forwards requests and replies until one side closes its connection or
// a trap drops it.
func (w *proxy) carryCommands(p *pair) {
	asked := make(chan command, 1024) // in the order of the replies
	var wg sync.WaitGroup
	wg.Go(func() {
		w.forwardRequests(p.client, p.upstream, asked)
		close(asked)
		_ = p.upstream.Close()
	})
	w.forwardReplies(p.upstream, p.client, asked)
	p.close()
	for range asked { // wait until forwardRequests has ended too
	}
	wg.Wait()
}

func (w *proxy) forwardRequests(drainer, redis net.Conn, asked chan<- command) {
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

func (w *proxy) forwardReplies(redis, drainer net.Conn, asked <-chan command) {
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

// proxies are the proxies between one client and all nodes.
type proxies []*proxy

// startProxies starts a proxy to each upstream. nodes are the addresses by which the
// nodes call themselves.
func startProxies(as watch, upstreams, nodes []string) (proxies, error) {
	var all proxies
	var ports []string
	for i, upstream := range upstreams {
		r, err := listenRelay(upstream)
		if err != nil {
			all.close()
			return nil, err
		}
		w := &proxy{watch: as, relay: r}
		r.carry = w.carryCommands
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
		w.accept(nil)
	}
	return all, nil
}

// url returns the URL that the client connects to.
func (all proxies) url() string {
	url := "redis://" + all[0].addr()
	if len(all) > 1 {
		url += "?cluster=true"
	}
	return url
}

func (all proxies) close() {
	for _, w := range all {
		w.close()
	}
}
