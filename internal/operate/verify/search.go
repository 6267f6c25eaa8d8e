package verify

import "slices"

// A search may hash effortFactor bytes for each byte that it is to explain, and
// effortBytes more. Hashing a record costs lookEffort beside its bytes.
const (
	effortFactor = 32
	effortBytes  = 16 << 20
	lookEffort   = 64
)

// refill allows the effort for explaining a number of bytes.
func (x *index) refill(bytes int) { x.budget = effortFactor*int64(bytes) + effortBytes }

// piece is bytes that are to be explained, with the lines that may explain them.
type piece struct {
	data   []byte
	within span
}

// search looks for the packed records that make up a piece.
type search struct {
	*index
	piece
	// again allows lines that are used already, and lines outside of the span.
	again bool
}

// place is a place in the piece, with the segments that may begin there.
type place struct {
	at      int
	choices []segment // not tried yet
	quick   key       // of a first choice that was found without choices
	stage   int       // 0: nothing was tried; 1: quick was; 2: choices are filled in
}

// run returns a way through the whole piece. If there is none, or the budget
// runs out, run returns the way that came furthest, and false. It uses no lines.
//
// One record may begin with another, so a wrong way may look right for a while.
// So run backtracks.
func (s *search) run() (way []segment, whole bool) {
	var furthest []segment
	dead := make(map[int]bool) // with again: places from which no way leads on
	places := []*place{{}}
	for len(places) > 0 && s.budget >= 0 {
		p := places[len(places)-1]
		if p.at == len(s.data) {
			s.free(way...)
			return way, true
		}
		next, ok := s.choose(p, lastLine(way))
		if !ok {
			if reach(way) > reach(furthest) {
				furthest = slices.Clone(way)
			}
			dead[p.at] = s.again
			places = places[:len(places)-1]
			if n := len(way) - 1; n >= 0 {
				s.free(way[n])
				way = way[:n]
			}
			continue
		}
		next.offset = p.at
		if dead[p.at+next.bytes] {
			continue
		}
		way = append(way, next)
		s.use(next)
		places = append(places, &place{at: p.at + next.bytes})
	}
	s.free(way...)
	if reach(way) > reach(furthest) {
		furthest = way
	}
	return furthest, false
}

// reach is the number of bytes that a way explains.
func reach(way []segment) int {
	if len(way) == 0 {
		return 0
	}
	return way[len(way)-1].offset + way[len(way)-1].bytes
}

// choose returns the next segment to try at a place.
func (s *search) choose(p *place, last int) (segment, bool) {
	data := s.data[p.at:]
	if p.stage == 0 {
		p.stage = 1
		for _, line := range s.after(last+1, s.within, near) {
			if s.startsWith(data, line) {
				p.quick = keyOf(s.lines[line])
				return segment{bytes: s.lines[line].Bytes, line: line}, true
			}
		}
	}
	if p.stage == 1 {
		p.stage = 2
		p.choices = s.choices(data, p.quick)
	}
	if len(p.choices) == 0 {
		return segment{}, false
	}
	next := p.choices[0]
	p.choices = p.choices[1:]
	return next, true
}

// choices returns the segments with which data may begin, without the segments of the
// key but. Segments of unused lines come first.
func (s *search) choices(data []byte, but key) []segment {
	var fresh, before []segment
	for _, k := range s.starts(data) {
		line, ok := s.unused(k, s.within)
		next := segment{bytes: k.bytes, line: line}
		switch {
		case k == but:
		case ok:
			fresh = append(fresh, next)
		case s.again:
			before = append(before, next)
		}
	}
	slices.SortFunc(fresh, func(a, b segment) int { return a.line - b.line })
	return append(fresh, before...)
}
