package verify

import (
	"bytes"
	"context"
	"io"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Where bodies repeat, the same bytes may be one packed record or several, and a
// wrong choice leaves a line or a record over although nothing is wrong. So in
// doubt the comparison counts units instead, which do not depend on the choice:
// lines of text, or gzip members for a raw stream. A packed record consists of
// whole units.

// maxUnits bounds the counts of units in objects. A stream with more has mostly
// unique bodies, which leave no doubt.
const maxUnits = 4 << 20

// units counts units by their hash. An entry has the length of the unit too.
type units map[uint64]amount

type amount struct{ count, bytes int }

// add adds the units of data to u.
func (u units) add(format stream.Format, data []byte) {
	for len(data) > 0 {
		n := unitLen(format, data)
		hash := xxhash.Sum64(data[:n])
		u[hash] = amount{u[hash].count + 1, n}
		data = data[n:]
	}
}

// unitLen is the length of the unit with which data begins. For a raw stream a
// unit ends where the next gzip header begins, or what looks like one: that too
// depends on the bytes alone.
func unitLen(format stream.Format, data []byte) int {
	if format == stream.Raw {
		if next := bytes.Index(data[1:], []byte{0x1f, 0x8b, 0x08}); next >= 0 {
			return next + 1
		}
	} else if end := bytes.IndexByte(data, '\n'); end >= 0 {
		return end + 1
	}
	return len(data)
}

// isDoubtful reports whether match left something over, or took a line from
// behind the verified hours, without other damage that explains it.
func (v *verification) isDoubtful() bool {
	doubt := v.isLate()
	for _, o := range v.objects {
		for _, s := range o.segments {
			if o.within && (s.line < 0 || s.changed) {
				return false
			}
			doubt = doubt || s.isLeftOver() && !o.isNext
		}
	}
	// A line before the window that is left over may be the line of a record that
	// took a line of the window. Earlier lines may be of objects that are not read.
	before := v.index.span(v.begin().Add(maxBuffer+maxInvocation-lead), v.begin())
	for line := range v.index.lines {
		doubt = doubt || v.objectOf[line] == nil && (v.isDue(line) || before.has(line))
	}
	return doubt && len(v.report.Findings) == 0
}

// resolve compares units if match left a doubt. If the units are equal, nothing
// is left over. If they differ, the records that were left over are differences.
func (v *verification) resolve(ctx context.Context, content *bytes.Buffer) error {
	if !v.isDoubtful() {
		return nil
	}
	byClass := make(map[key]units)
	byUnit := make(map[uint64][]*demand)
	total := 0
	for _, o := range v.objects {
		if err := v.read(ctx, content, o.Object, io.Discard); err != nil {
			return err
		}
		v.learnClasses(byClass, o, content.Bytes())
		inObject := make(units)
		inObject.add(v.Format, content.Bytes())
		for unit, n := range inObject {
			byUnit[unit] = append(byUnit[unit], &demand{object: o, count: n.count, bytes: n.bytes})
		}
		if total += len(inObject); total > maxUnits {
			return nil
		}
	}
	supplies := make(map[uint64][]supply)
	missing := make(map[int]bool)
	for line, p := range v.index.lines {
		in, known := byClass[keyOf(p)]
		missing[line] = !known
		for unit, n := range in {
			supplies[unit] = append(supplies[unit], supply{line, n.count})
			missing[line] = missing[line] || byUnit[unit] == nil // no object has it
		}
	}
	surplus := make(map[*object]int64)
	for unit, demands := range byUnit {
		next, others := inNextHour(demands)
		_, left := flow(supplies[unit], next)
		_, left = flow(left, others)
		for _, s := range left {
			missing[s.line] = true
		}
		for _, d := range demands {
			surplus[d.object] += int64(d.count * d.bytes)
		}
	}
	v.decide(missing, surplus)
	return nil
}

// learnClasses adds the units of each class that an object contains.
func (v *verification) learnClasses(byClass map[key]units, o *object, data []byte) {
	learn := func(k key, record []byte) {
		if byClass[k] == nil {
			byClass[k] = make(units)
			byClass[k].add(v.Format, record)
		}
	}
	for _, s := range o.segments {
		if s.line < 0 || s.changed {
			continue
		}
		learn(keyOf(v.index.lines[s.line]), data[s.offset:s.offset+s.bytes])
	}
	unseen := make(map[int]bool) // lengths of classes that are in no segment so far
	for k := range v.index.byKey {
		if byClass[k] == nil {
			unseen[k.bytes] = true
		}
	}
	v.index.refill(len(data))
	for at := 0; at < len(data) && v.index.budget > 0; at += unitLen(v.Format, data[at:]) {
		for n := range unseen {
			if at+n > len(data) {
				continue
			}
			v.index.budget -= int64(n) + lookEffort
			if k := keyOf(pack.Line{Bytes: n, Hash: xxhash.Sum64(data[at : at+n])}); v.index.byKey[k] != nil {
				learn(k, data[at:at+n])
			}
		}
	}
}

// decide takes the result of the comparison of units. If units are left over, the
// records that match left over are the differences. If match left none over, the
// units themselves are.
func (v *verification) decide(missing map[int]bool, surplus map[*object]int64) {
	differs, leftOver := false, false
	for _, o := range v.objects {
		differs = differs || o.within && surplus[o] > 0
		leftOver = leftOver || o.within && slices.ContainsFunc(o.segments, segment.isLeftOver)
	}
	for line := range v.index.lines {
		differs = differs || missing[line] && v.isDue(line)
		leftOver = leftOver || v.objectOf[line] == nil && v.isDue(line)
	}
	if !differs {
		v.clear()
	}
	if !differs || leftOver {
		return
	}
	for _, o := range v.objects {
		o.surplus = surplus[o]
	}
	for line := range missing {
		if missing[line] && v.isDue(line) {
			v.objectOf[line] = nil
		}
	}
}

// clear leaves no record and no line over.
func (v *verification) clear() {
	for _, o := range v.objects {
		for i := range o.segments {
			o.segments[i].unmatched = ""
		}
	}
	for line := range v.index.lines {
		if v.objectOf[line] == nil && v.isDue(line) {
			v.objectOf[line] = v.objectFor(line)
		}
	}
}

// objectFor returns an object that may hold the record of a line.
func (v *verification) objectFor(line int) *object {
	for _, o := range v.objects {
		if o.matches.has(line) {
			return o
		}
	}
	return nil
}
