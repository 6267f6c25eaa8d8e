package chaos

import (
	"bufio"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2/proto"
)

// watcher watches the claims and pushes of one process on its connections to Redis. At a
// step with a trap it stops until the trap has done its work.
type watcher struct {
	*suite
	caller string
	relays []*relay // one for each node
	// nodes replaces the port of each node of a cluster by the port of its relay, so
	// that the client connects to the relays.
	nodes *strings.Replacer
}

// watch starts the relays of a process to Redis through a link, and returns the URL for
// the process.
func (s *suite) watch(caller string, l *link) (*watcher, error) {
	w := &watcher{suite: s, caller: caller}
	var ports []string
	for i, way := range l.ways {
		r, err := newRelay(way)
		if err != nil {
			w.close()
			return nil, err
		}
		w.relays = append(w.relays, r)
		if !s.settings.cluster { // Then a partition replaces the node.
			continue
		}
		// The port of a node ends a line in the layout of the cluster and in
		// redirections.
		_, port, _ := strings.Cut(s.redis.nodes[i].Addr, ":")
		_, own, _ := strings.Cut(r.addr(), ":")
		ports = append(ports, ":"+port+"\r\n", ":"+own+"\r\n")
	}
	w.nodes = strings.NewReplacer(ports...)
	for _, r := range w.relays {
		r.accept(w.carry)
	}
	return w, nil
}

// url returns the URL that the process connects to.
func (w *watcher) url() string {
	url := w.relays[0].redisURL()
	if w.settings.cluster {
		url += "?cluster=true"
	}
	return url
}

func (w *watcher) close() {
	for _, r := range w.relays {
		r.close()
	}
}

// timeUp reports whether the drainer's invocation is about to end.
func (w *watcher) timeUp() bool {
	p := w.functions.find(w.caller)
	return p != nil && time.Until(p.Deadline()) < drainerTimeout/10+500*time.Millisecond
}

// carry forwards requests and replies until one side closes its connection or a trap
// drops it.
func (w *watcher) carry(client net.Conn, p *pair) {
	asked := make(chan command, 1024) // in the order of the replies
	var wg sync.WaitGroup
	wg.Go(func() {
		w.forwardRequests(client, p, asked)
		close(asked)
		p.close()
	})
	w.forwardReplies(p, client, asked)
	p.close()
	for range asked { // wait until forwardRequests has ended too
	}
	wg.Wait()
}

func (w *watcher) forwardRequests(client, redis net.Conn, asked chan<- command) {
	r := bufio.NewReader(client)
	for {
		request, err := proto.Read(r)
		if err != nil {
			return
		}
		c := w.settings.leasing.parseCommand(request)
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
		if _, err := redis.Write([]byte(request)); err != nil {
			return
		}
	}
}

func (w *watcher) forwardReplies(redis, client net.Conn, asked <-chan command) {
	r := bufio.NewReaderSize(redis, 64<<10)
	for {
		reply, err := proto.Read(r)
		if err != nil {
			return
		}
		if reply[0] != '>' { // a push message is not a reply
			c, ok := <-asked
			if !ok || w.drops(c, reply) {
				return
			}
			if w.settings.cluster && (c.verb == slotsVerb || reply[0] == '-') {
				reply = w.nodes.Replace(reply)
			}
		}
		if _, err := client.Write([]byte(reply)); err != nil {
			return
		}
	}
}

// drops records what a reply says about claims and pushes, and reports whether a trap
// drops the reply.
func (w *watcher) drops(c command, reply string) bool {
	switch c.verb {
	case claimVerb:
		records := claimed(reply)
		if records == 0 {
			return false
		}
		if w.traps.spring(afterClaim, w.caller) {
			return true
		}
		w.claims.claimed(c.claim, w.caller, records, c.at)
	case settleVerb:
		if reply[0] != ':' {
			return false
		}
		if c.left == 0 && w.traps.spring(afterAck, w.caller) {
			return true
		}
		w.claims.settled(c.claim, reply == ":1\r\n")
	case pushVerb:
		if status, ok := pushed(reply); ok {
			w.pushes.answered(c.record, status)
			return w.traps.spring(afterPush, w.caller)
		}
	}
	return false
}
