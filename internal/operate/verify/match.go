package verify

import (
	"cmp"
	"container/heap"
	"slices"
)

// occurrence is a packed record that was found in an object.
type occurrence struct {
	object  *object
	segment *segment
	span    span // of the lines that may be the record's own
	order   int  // of all records of the class
}

// match gives each packed record that was found in an object a line of its own:
// one of its class that was logged when the object can have received it. It
// finds as many pairs as there can be, so where bodies repeat, a record or line
// is left over only if every explanation leaves one over.
func (v *verification) match() {
	v.objectOf = make([]*object, len(v.index.lines))
	changed := make(map[int]bool)
	byKey := make(map[key][]*occurrence)
	for _, o := range v.objects {
		for i := range o.segments {
			switch s := &o.segments[i]; {
			case s.changed:
				changed[s.line] = true
				v.objectOf[s.line] = o
			case s.line >= 0:
				k := keyOf(v.index.lines[s.line])
				byKey[k] = append(byKey[k], &occurrence{object: o, segment: s, span: o.matches, order: len(byKey[k])})
			}
		}
	}
	for k, found := range byKey {
		lines := slices.DeleteFunc(slices.Clone(v.index.byKey[k].lines), func(line int) bool { return changed[line] })
		// The objects of the next hour first, so that their lines explain nothing else.
		isNext := func(o *occurrence) bool { return o.object.isNext }
		v.pair(lines, slices.DeleteFunc(slices.Clone(found), func(o *occurrence) bool { return !isNext(o) }))
		free := slices.DeleteFunc(slices.Clone(lines), func(line int) bool { return v.objectOf[line] != nil })
		for _, left := range v.pair(free, slices.DeleteFunc(found, isNext)) {
			v.leaveOver(lines, left)
		}
	}
}

// pair gives each line, in the order of the log, to that waiting record whose
// span ends first. It returns the records that got no line.
func (v *verification) pair(lines []int, found []*occurrence) (left []*occurrence) {
	slices.SortStableFunc(found, func(a, b *occurrence) int { return cmp.Compare(a.span.from, b.span.from) })
	var waiting byEnd
	for _, line := range lines {
		for len(found) > 0 && found[0].span.from <= line {
			heap.Push(&waiting, found[0])
			found = found[1:]
		}
		for len(waiting) > 0 && waiting[0].span.to <= line {
			left = append(left, heap.Pop(&waiting).(*occurrence))
		}
		if len(waiting) > 0 {
			o := heap.Pop(&waiting).(*occurrence)
			o.segment.line, o.segment.unmatched = line, ""
			v.objectOf[line] = o.object
		}
	}
	return append(append(left, waiting...), found...)
}

// leaveOver says why a record has no line of its own. If a line of the record is
// left over that was logged at another time, the record is in the wrong place.
// Otherwise the record is in the archive more than once.
func (v *verification) leaveOver(lines []int, o *occurrence) {
	o.segment.unmatched = Twice
	for _, line := range lines {
		if v.objectOf[line] == nil && !o.object.matches.has(line) && o.object.within {
			o.segment.line, o.segment.unmatched = line, Misplaced
			v.objectOf[line] = o.object
			return
		}
	}
	at, _ := slices.BinarySearch(lines, o.span.from)
	if len(lines) > 0 {
		o.segment.line = lines[min(at, len(lines)-1)]
	}
}

// isLate reports whether a record got a line that was logged after its object was
// due and after the verified hours. Either a function logged late, or the line is
// the line of an object of the next hour.
func (v *verification) isLate() bool {
	next := v.index.span(v.end(), v.end()).from
	for _, o := range v.objects {
		for _, s := range o.segments {
			if o.within && s.line >= max(next, o.expected.to) && s.unmatched == "" && !s.changed {
				return true
			}
		}
	}
	return false
}

// byEnd is a heap of records, the record whose span ends first at its top.
type byEnd []*occurrence

func (h byEnd) Len() int { return len(h) }

// Less prefers, of two records whose spans end together, the record of the object
// with a name as Firehose gives it.
func (h byEnd) Less(i, j int) bool {
	a, b := h[i], h[j]
	if a.span.to == b.span.to && a.object.isNamed != b.object.isNamed {
		return a.object.isNamed
	}
	return cmp.Or(cmp.Compare(a.span.to, b.span.to), cmp.Compare(a.order, b.order)) < 0
}

func (h byEnd) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *byEnd) Push(o any)   { *h = append(*h, o.(*occurrence)) }

func (h *byEnd) Pop() any {
	last := len(*h) - 1
	o := (*h)[last]
	*h = (*h)[:last]
	return o
}
