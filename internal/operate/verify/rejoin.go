package verify

import (
	"bytes"
	"math/rand/v2"
)

// explained is an object with what it consists of.
type explained struct {
	segments []segment
	data     []byte // nil when it is not kept
	// ambiguous: another way through it might be right as well.
	ambiguous, looked bool
}

// The objects that are kept for rejoin: so many, and so many bytes in all.
const (
	keptObjects = 64
	keptBytes   = 64 << 20
	// attempts is how many searches rejoin makes, of that effort each.
	attempts      = 200
	attemptEffort = 2 << 20
)

// keep notes what an object consists of, for rejoin.
func (l *ledger) keep(data []byte, e *explained) {
	if len(data) > keptBytes/4 {
		return
	}
	for _, s := range e.segments {
		if s.line < 0 || s.again || s.changed {
			return
		}
	}
	e.data = bytes.Clone(data)
	l.kept = append(l.kept, e)
	l.keptBytes += len(data)
	for l.keptBytes > keptBytes || len(l.kept) > keptObjects {
		l.keptBytes -= len(l.kept[0].data)
		l.kept[0].data = nil
		l.kept = l.kept[1:]
	}
}

// rejoin explains an object together with those before it in which other packed
// records may be the right ones. Where bodies are alike, the ones that are needed
// here may have been taken there.
func (l *ledger) rejoin(data []byte) ([]segment, bool) {
	var others []*explained
	s := &search{ledger: l, random: rand.New(rand.NewPCG(uint64(len(data)), uint64(len(l.kept))))} // #nosec G404 -- the same search each time, no secret.
	for _, e := range l.kept {
		if l.isAmbiguous(e) {
			others = append(others, e)
			s.pieces = append(s.pieces, e.data)
		}
	}
	if len(others) == 0 {
		return nil, false
	}
	s.pieces = append(s.pieces, data)
	for _, e := range others {
		l.forget(e.segments...)
	}
	for range attempts {
		l.budget = attemptEffort
		way, whole := s.run()
		if !whole {
			continue
		}
		l.note(way...)
		parts := make([][]segment, len(s.pieces))
		for _, part := range way {
			parts[part.piece] = append(parts[part.piece], part)
		}
		for i, e := range others {
			e.segments = parts[i]
		}
		return parts[len(others)], true
	}
	for _, e := range others {
		l.note(e.segments...)
	}
	return nil, false
}

// isAmbiguous reports whether at some place of an object more than one packed
// record may begin.
func (l *ledger) isAmbiguous(e *explained) bool {
	if e.looked {
		return e.ambiguous
	}
	e.looked = true
	l.refill(len(e.data))
	for _, s := range e.segments {
		if l.budget < 0 {
			break
		}
		if len(l.starts(e.data[s.offset:])) > 1 {
			e.ambiguous = true
			break
		}
	}
	return e.ambiguous
}
