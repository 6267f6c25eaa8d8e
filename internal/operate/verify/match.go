package verify

import "slices"

// match gives each packed record that was found in an object a line of its own: one of
// its class that was logged when the object can have received it, see flow.
func (v *verification) match() {
	v.objectOf = make([]*object, len(v.index.lines))
	changed := make(map[int]bool)
	classes := make(map[key][]*demand)
	for _, o := range v.objects {
		for i := range o.segments {
			switch s := &o.segments[i]; {
			case s.changed:
				changed[s.line] = true
				v.objectOf[s.line] = o
			case s.line >= 0:
				k := keyOf(v.index.lines[s.line])
				n := len(classes[k])
				if n == 0 || classes[k][n-1].object != o {
					classes[k] = append(classes[k], &demand{object: o})
					n++
				}
				d := classes[k][n-1]
				d.segments = append(d.segments, s)
				d.count++
			}
		}
	}
	for k, found := range classes {
		lines := slices.DeleteFunc(slices.Clone(v.index.byKey[k].lines), func(line int) bool { return changed[line] })
		left := make([]supply, len(lines))
		for i, line := range lines {
			left[i] = supply{line, 1}
		}
		// The objects of the next hour first, so that their lines explain nothing else.
		next, others := inNextHour(found)
		left = v.assign(left, next)
		v.assign(left, others)
		for _, d := range others {
			for _, s := range d.segments {
				v.leaveOver(lines, d.object, s)
			}
		}
	}
}

// assign gives lines to the segments of demands. It returns the lines that are left over,
// and leaves the segments without a line in the demands.
func (v *verification) assign(lines []supply, demands []*demand) (left []supply) {
	shares, left := flow(lines, demands)
	for _, given := range shares {
		if d := given.demand; given.count > 0 {
			d.segments[0].line, d.segments[0].unmatched = given.line, ""
			d.segments = d.segments[1:]
			v.objectOf[given.line] = d.object
		}
	}
	return left
}

// leaveOver says why a record of an object has no line of its own. If a line of the
// record is left over that was logged at another time, the record is in the wrong place.
// Otherwise the record is in the archive more than once.
func (v *verification) leaveOver(lines []int, o *object, s *segment) {
	s.unmatched = Twice
	for _, line := range lines {
		if v.objectOf[line] == nil && !o.matches.has(line) && o.within {
			s.line, s.unmatched = line, Misplaced
			v.objectOf[line] = o
			return
		}
	}
	if len(lines) > 0 {
		at, _ := slices.BinarySearch(lines, o.matches.from)
		s.line = lines[min(at, len(lines)-1)]
	}
}

// isLate reports whether a record got a line that was logged after its object was due,
// although other lines have the same bytes, or a line behind the verified hours. Either a
// function logged late, or the line belongs to another object.
func (v *verification) isLate() bool {
	next := v.index.span(v.end(), v.end()).from
	for _, o := range v.objects {
		for _, s := range o.segments {
			if !o.within || s.line < 0 || s.isLeftOver() || s.changed {
				continue
			}
			p := v.index.lines[s.line]
			repeats := len(v.index.byKey[keyOf(p)].lines) > 1
			if repeats && p.LoggedAt.After(o.due.Add(edge)) || s.line >= max(next, o.expected.to) {
				return true
			}
		}
	}
	return false
}
