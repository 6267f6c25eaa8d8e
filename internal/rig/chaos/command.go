package chaos

import (
	"strconv"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2/proto"
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

// parseCommand recognizes the scripts of the drainer, and pushes with a key, by their
// keys.
func (l leasing) parseCommand(request string) command {
	words, err := proto.ReadStrings(request)
	if err != nil || len(words) < 2 {
		return command{}
	}
	name := strings.ToLower(words[0])
	if name == "cluster" && strings.EqualFold(words[1], "slots") {
		return command{verb: slotsVerb}
	}
	if name != "evalsha" && name != "eval" || len(words) < 3 {
		return command{}
	}
	n := number(words[2])
	if n < 3 || len(words) < 3+n+1 {
		return command{}
	}
	keys, args := words[3:3+n], words[3+n:]
	isClaim := func(key string) bool { return strings.Contains(key, "}:claim:") }
	switch {
	case n == 3 && isClaim(keys[1]): // ack
		return command{verb: settleVerb, claim: keys[1]}
	case n == 4 && isClaim(keys[2]) && len(args) == 4 &&
		number(args[1]) == int(l.lease.Milliseconds()) && number(args[2]) == l.records && number(args[3]) == l.bytes:
		return command{verb: claimVerb, claim: keys[2]}
	case n == 4 && isClaim(keys[2]) && len(args) > 1: // release
		return command{verb: settleVerb, claim: keys[2], left: number(args[1])}
	case n == 5 && strings.HasSuffix(keys[3], "}:once"):
		envelope := args[len(args)-1]
		if record, _, ok := parseHeader([]byte(envelope[max(0, strings.Index(envelope, bodyBegin)):])); ok {
			return command{verb: pushVerb, record: record}
		}
	}
	return command{}
}

// claimed returns the number of records in the reply to a claim.
func claimed(reply string) int {
	if parts, err := proto.ReadArray(reply); err == nil && len(parts) == 2 {
		envelopes, _ := proto.ReadArray(parts[1]) // none if it is no array
		return len(envelopes)
	}
	return 0
}

// pushed returns the status in the reply to a push with a key, and whether there is
// one.
func pushed(reply string) (status int, ok bool) {
	parts, err := proto.ReadArray(reply)
	if err != nil || len(parts) != 3 {
		return 0, false
	}
	return number(strings.Trim(parts[0], ":\r\n")), true
}

// number returns a word as an integer, or -1 if it is not an integer.
func number(word string) int {
	n, err := strconv.Atoi(word)
	if err != nil {
		return -1
	}
	return n
}
