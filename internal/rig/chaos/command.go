package chaos

import (
	"bytes"
	"time"
)

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
