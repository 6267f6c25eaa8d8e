package verify

import (
	"cmp"
	"slices"
	"sort"
)

// supply is a number of equal units that a line logged, for example one packed record.
type supply struct{ line, count int }

// demand is the number of equal units in an object that have no line yet.
type demand struct {
	object *object
	count  int
	// segments are the units, if these are packed records. bytes is the length of a unit,
	// if these are not.
	segments []*segment
	bytes    int
}

func (d *demand) end() int { return d.object.matches.to }

// share is a number of units of a line that an object got.
type share struct {
	demand      *demand
	line, count int
}

// flow gives the units of lines, which are in the order of the log, to objects that can
// have received them. It returns the shares, and the units that no object gets.
//
// It gives away as many units as possible, so where bodies repeat, a line or a record is
// left over only if every explanation leaves one over. An object gets units that were
// logged before it began or after it was due only if it cannot be filled otherwise.
// Without that rule each object could take the first line of the next object, and a lost
// record would be one of the last hour that was read.
func flow(lines []supply, demands []*demand) (shares []share, left []supply) {
	slices.SortStableFunc(demands, func(a, b *demand) int { return cmp.Compare(a.object.matches.from, b.object.matches.from) })
	var open []*demand // in the order of their ends
	var late []share
	for _, s := range lines {
		for len(demands) > 0 && demands[0].object.matches.from <= s.line {
			at, _ := slices.BinarySearchFunc(open, demands[0], byEnd)
			open = slices.Insert(open, at, demands[0])
			demands = demands[1:]
		}
		for len(open) > 0 && open[0].end() <= s.line {
			late = append(late, open[0].fill(left, shares)...)
			open = open[1:]
		}
		for _, d := range open {
			if n := min(s.count, d.count); n > 0 && d.object.expected.has(s.line) {
				s.count -= n
				d.count -= n
				shares = append(shares, share{d, s.line, n})
			}
		}
		left = append(left, s)
	}
	for _, d := range open {
		late = append(late, d.fill(left, shares)...)
	}
	left = slices.DeleteFunc(left, func(s supply) bool { return s.count == 0 })
	return append(shares, late...), left
}

// fill gives to a demand that ends the units of its span that are left, and then units
// that demands with a later end got. These can be filled later. left and shares are in the
// order of the log.
func (d *demand) fill(left []supply, shares []share) (filled []share) {
	take := func(line int, count *int) (n int) {
		if n = min(d.count, *count); n > 0 {
			d.count -= n
			*count -= n
			filled = append(filled, share{d, line, n})
		}
		return n
	}
	from := d.object.matches.from
	first := sort.Search(len(left), func(i int) bool { return left[i].line >= from })
	for i := first; i < len(left) && d.count > 0 && left[i].line < d.end(); i++ {
		take(left[i].line, &left[i].count)
	}
	for i := len(shares) - 1; i >= 0 && d.count > 0 && shares[i].line >= from; i-- {
		if s := &shares[i]; s.line < d.end() && s.demand.end() > d.end() {
			s.demand.count += take(s.line, &s.count)
		}
	}
	return filled
}

// byEnd is the order of open demands. If two end together, an object with a name as
// Firehose gives it is first, and then the one that was opened first.
func byEnd(a, b *demand) int {
	switch {
	case a.end() != b.end():
		return cmp.Compare(a.end(), b.end())
	case b.object.isNamed && !a.object.isNamed:
		return 1
	}
	return -1
}

// inNextHour divides demands by whether their objects are in the hour behind the verified
// hours.
func inNextHour(demands []*demand) (next, others []*demand) {
	for _, d := range demands {
		if d.object.isNext {
			next = append(next, d)
		} else {
			others = append(others, d)
		}
	}
	return next, others
}
