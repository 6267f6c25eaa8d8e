package verify

// segment is a part of an object's bytes.
type segment struct {
	piece         int // in a search of several pieces
	offset, bytes int
	// line is that of the packed record; -1 when nothing explains the bytes.
	line int
	// again: the packed record was found before. changed: it should stand here,
	// by its length and place, but its bytes differ.
	again, changed bool
}

func lastLine(segments []segment) int {
	if len(segments) == 0 {
		return -1
	}
	return segments[len(segments)-1].line
}

// explain takes an object's bytes apart into the packed records of the ledger,
// and notes them as found.
//
// It prefers lines that were not found yet, in the order of the log, and allows
// one to come again only where the object cannot be explained otherwise. Where
// bytes are explained by nothing it goes on behind them: behind a record that was
// changed, else with what stands at the object's end.
func (l *ledger) explain(data []byte) []segment {
	if way, whole := l.cover(data, false); whole {
		l.note(way...)
		return way
	}
	if way, ok := l.rejoin(data); ok {
		return way
	}
	var all []segment
	for at := 0; at < len(data); {
		way, whole := l.cover(data[at:], false)
		if !whole {
			way, whole = l.cover(data[at:], true)
		}
		l.note(way...)
		for _, s := range way {
			s.offset += at
			all = append(all, s)
		}
		at += reach(way)
		if whole || at == len(data) {
			break
		}
		changed, ok := l.changed(data[at:], lastLine(all))
		if !ok {
			return append(all, l.backward(data, at, lastLine(all))...)
		}
		changed.offset = at
		l.note(changed)
		all = append(all, changed)
		at += changed.bytes
	}
	return all
}

// cover looks for packed records that make up data: such as were not found yet,
// or with again also others.
func (l *ledger) cover(data []byte, again bool) (way []segment, whole bool) {
	l.refill(len(data))
	return (&search{ledger: l, pieces: [][]byte{data}, again: again}).run()
}

// lookahead is how many lines may stand between the last record found and one
// that was changed, or the last one of an object.
const lookahead = 512

// changed looks for a line whose record would stand at the beginning of data if
// its bytes were not changed: one behind which data ends or goes on with a known
// record.
func (l *ledger) changed(data []byte, last int) (segment, bool) {
	l.refill(len(data))
	for _, line := range append(l.after(last+1, lookahead), l.after(0, near)...) {
		n := l.lines[line].Bytes
		if n > len(data) || l.budget < 0 {
			continue
		}
		if n == len(data) || l.goesOn(data[n:], line) {
			return segment{bytes: n, line: line, changed: true}, true
		}
	}
	return segment{}, false
}

// goesOn reports whether data begins with a known record.
func (l *ledger) goesOn(data []byte, last int) bool {
	for _, line := range l.after(last+1, near) {
		if l.startsWith(data, line) {
			return true
		}
	}
	return len(l.starts(data)) > 0
}

// backward explains the bytes from at on as far as possible from the end. What is
// left, before them, is unknown.
func (l *ledger) backward(data []byte, at, last int) []segment {
	l.refill(len(data) - at)
	var tail []segment // the last one first
	end := len(data)
	for end > at {
		line, ok := l.last(data[at:end], last, lastLine(tail))
		if !ok {
			break
		}
		end -= l.lines[line].Bytes
		tail = append(tail, segment{offset: end, bytes: l.lines[line].Bytes, line: line})
		l.note(tail[len(tail)-1])
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

// last returns a line with whose record data ends. The lines before next are the
// most likely ones.
func (l *ledger) last(data []byte, last, next int) (line int, ok bool) {
	for i := next - 1; i > max(last, next-near); i-- {
		if l.found[i] == 0 && l.endsWith(data, i) {
			return i, true
		}
	}
	for _, i := range l.after(last+1, lookahead) {
		if l.budget >= 0 && l.endsWith(data, i) {
			return i, true
		}
	}
	return 0, false
}
