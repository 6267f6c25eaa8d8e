package verify

// segment is a part of an object's bytes.
type segment struct {
	offset, bytes int
	// line is the line of the packed record that explains the bytes; -1 for none.
	line int
	// changed: by length and place these are the bytes of line, but they differ.
	changed bool
	// unmatched says why the record has no line of its own, see match.
	unmatched Kind
}

// isLeftOver reports whether the record has no line of its own.
func (s segment) isLeftOver() bool { return s.unmatched != "" }

func lastLine(segments []segment) int {
	if len(segments) == 0 {
		return -1
	}
	return segments[len(segments)-1].line
}

// explain divides a piece into packed records of the index, and uses their
// lines.
//
// It prefers unused lines of the span, in the order of the log, and takes others
// only where the piece cannot be explained otherwise. Behind bytes that nothing
// explains it continues behind a record that was changed, or else with the
// records at the piece's end.
func (x *index) explain(p piece) []segment {
	if way, whole := x.cover(p, false); whole {
		x.use(way...)
		return way
	}
	var all []segment
	for at := 0; at < len(p.data); {
		rest := piece{p.data[at:], p.within}
		way, whole := x.cover(rest, false)
		if !whole {
			way, whole = x.cover(rest, true)
		}
		x.use(way...)
		for _, s := range way {
			s.offset += at
			all = append(all, s)
		}
		at += reach(way)
		if whole || at == len(p.data) {
			break
		}
		rest.data = p.data[at:]
		changed, ok := x.changed(rest, lastLine(all))
		if !ok {
			return append(all, x.backward(p, at, lastLine(all))...)
		}
		changed.offset = at
		x.use(changed)
		all = append(all, changed)
		at += changed.bytes
	}
	return all
}

// cover looks for packed records that make up a piece.
func (x *index) cover(p piece, again bool) (way []segment, whole bool) {
	x.refill(len(p.data))
	return (&search{index: x, piece: p, again: again}).run()
}

// lookahead bounds the number of lines between the last record found and a
// record that was changed, or the last record of an object.
const lookahead = 512

// changed looks for a line whose record would be at the beginning of a piece if
// its bytes had not been changed: one behind which the piece ends or continues
// with a known record.
func (x *index) changed(p piece, last int) (segment, bool) {
	x.refill(len(p.data))
	for _, line := range append(x.after(last+1, p.within, lookahead), x.after(0, p.within, near)...) {
		n := x.lines[line].Bytes
		if n > len(p.data) || x.budget < 0 {
			continue
		}
		if n == len(p.data) || x.continues(piece{p.data[n:], p.within}, line) {
			return segment{bytes: n, line: line, changed: true}, true
		}
	}
	return segment{}, false
}

// continues reports whether a piece begins with a known record.
func (x *index) continues(p piece, last int) bool {
	for _, line := range x.after(last+1, p.within, near) {
		if x.startsWith(p.data, line) {
			return true
		}
	}
	return len(x.starts(p.data)) > 0
}

// backward explains the bytes of a piece from at on, as far as possible from its
// end. The bytes before that are one segment without a line.
func (x *index) backward(p piece, at, last int) []segment {
	x.refill(len(p.data) - at)
	var tail []segment // the last one first
	end := len(p.data)
	for end > at {
		line, ok := x.last(piece{p.data[at:end], p.within}, last, lastLine(tail))
		if !ok {
			break
		}
		end -= x.lines[line].Bytes
		tail = append(tail, segment{offset: end, bytes: x.lines[line].Bytes, line: line})
		x.use(tail[len(tail)-1])
	}
	var all []segment
	if end > at {
		all = append(all, segment{offset: at, bytes: end - at, line: -1})
	}
	for i := len(tail) - 1; i >= 0; i-- {
		all = append(all, tail[i])
	}
	return all
}

// last returns a line with whose record a piece ends. The lines before next are
// the most likely ones.
func (x *index) last(p piece, last, next int) (line int, ok bool) {
	for i := next - 1; i > max(last, next-near); i-- {
		if x.used[i] == 0 && x.endsWith(p.data, i) {
			return i, true
		}
	}
	for _, i := range x.after(last+1, p.within, lookahead) {
		if x.budget >= 0 && x.endsWith(p.data, i) {
			return i, true
		}
	}
	return 0, false
}
