package verify

import (
	"math/rand/v2"
	"slices"
)

// The effort for one search, in bytes to hash: so many for each that is to be
// explained, and so many more. A look at a record costs a little beside its bytes.
const (
	effortFactor = 32
	effortBytes  = 256 << 20
	lookEffort   = 64
)

// refill allows the effort for so many bytes.
func (l *ledger) refill(bytes int) { l.budget = effortFactor*int64(bytes) + effortBytes }

// search looks for packed records that make up one or several pieces of data, of
// which each ends with a record.
type search struct {
	*ledger
	pieces [][]byte
	// again allows records that were found before.
	again bool
	// random tries records in any order instead of that of the log.
	random *rand.Rand
}

// turn is a place in the pieces, with the segments that may begin there.
type turn struct {
	piece, at int
	choices   []segment // not tried yet
	quick     key       // of the first choice, when that was found at first sight
	stage     int       // 0: not looked; 1: at first sight; 2: for all
}

// run returns a way through all pieces, or, when there is none or the budget is
// spent, the one that came furthest. It notes nothing.
//
// Many ways may seem right for a while, for one record may begin with another;
// and where bodies are alike, only the number of packed records of each length
// tells which way is right. So it goes back and tries others.
func (s *search) run() (way []segment, whole bool) {
	var furthest []segment
	dead := make(map[[2]int]bool) // with again: places from which no way leads on
	turns := []*turn{s.begin(0, 0)}
	for len(turns) > 0 && s.budget >= 0 {
		t := turns[len(turns)-1]
		if t.piece == len(s.pieces) {
			s.forget(way...)
			return way, true
		}
		next, ok := s.choose(t, lastLine(way))
		if !ok {
			if reach(way) > reach(furthest) {
				furthest = slices.Clone(way)
			}
			if s.again {
				dead[[2]int{t.piece, t.at}] = true
			}
			turns = turns[:len(turns)-1]
			if n := len(way) - 1; n >= 0 {
				s.forget(way[n])
				way = way[:n]
			}
			continue
		}
		next.piece, next.offset = t.piece, t.at
		after := s.begin(t.piece, t.at+next.bytes)
		if dead[[2]int{after.piece, after.at}] {
			continue
		}
		way = append(way, next)
		s.note(next)
		turns = append(turns, after)
	}
	s.forget(way...)
	if reach(way) > reach(furthest) {
		furthest = way
	}
	return furthest, false
}

// begin returns the turn at a place; behind the end of a piece begins the next.
func (s *search) begin(piece, at int) *turn {
	for piece < len(s.pieces) && at == len(s.pieces[piece]) {
		piece, at = piece+1, 0
	}
	return &turn{piece: piece, at: at}
}

// reach is how far a way through one piece comes.
func reach(way []segment) int {
	if len(way) == 0 {
		return 0
	}
	return way[len(way)-1].offset + way[len(way)-1].bytes
}

// choose returns the next segment to try at a turn.
func (s *search) choose(t *turn, last int) (segment, bool) {
	data := s.pieces[t.piece][t.at:]
	if t.stage == 0 && s.random == nil {
		t.stage = 1
		for _, line := range s.after(last+1, near) {
			if s.startsWith(data, line) {
				t.quick = keyOf(s.lines[line])
				return segment{bytes: s.lines[line].Bytes, line: line}, true
			}
		}
	}
	if t.stage != 2 {
		t.stage = 2
		t.choices = s.choices(data, t.quick)
	}
	if len(t.choices) == 0 {
		return segment{}, false
	}
	next := t.choices[0]
	t.choices = t.choices[1:]
	return next, true
}

// choices are all segments with which data may begin, but for those of one key:
// those not found yet first.
func (s *search) choices(data []byte, but key) []segment {
	var fresh, before []segment
	for _, k := range s.starts(data) {
		line, ok := s.unfound(k)
		next := segment{bytes: k.bytes, line: line, again: !ok}
		switch {
		case k == but:
		case ok:
			fresh = append(fresh, next)
		case s.again:
			before = append(before, next)
		}
	}
	if s.random != nil {
		s.random.Shuffle(len(fresh), func(i, j int) { fresh[i], fresh[j] = fresh[j], fresh[i] })
	} else {
		slices.SortFunc(fresh, func(a, b segment) int { return a.line - b.line })
	}
	return append(fresh, before...)
}
