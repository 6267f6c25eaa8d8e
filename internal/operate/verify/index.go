package verify

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
)

// index finds the packed records that were logged by their bytes. While
// objects are read, it counts which lines of the log have been used already, so
// that each object prefers lines that no earlier object used.
type index struct {
	lines []pack.Line // in the order of the log
	used  []int       // for each line, the number of its uses
	byKey map[key]*class
	// lengths are the lengths of all packed records, ascending, without repeats.
	lengths []int
	// first is a line; all lines before it are used.
	first int
	// budget is the number of bytes that may still be hashed, see refill.
	budget int64
}

// class is the lines whose packed records have the same bytes.
type class struct {
	lines []int // ascending
	first int   // an index of lines; all lines before it are used
}

// key identifies the bytes of a packed record.
type key struct {
	bytes int
	hash  uint64
}

func keyOf(p pack.Line) key { return key{p.Bytes, p.Hash} }

func newIndex(lines []pack.Line) *index {
	slices.SortStableFunc(lines, func(a, b pack.Line) int {
		return cmp.Or(a.LoggedAt.Compare(b.LoggedAt), compareSequences(a.FirstSequence, b.FirstSequence))
	})
	x := &index{lines: lines, used: make([]int, len(lines)), byKey: make(map[key]*class)}
	for i, p := range lines {
		same := x.byKey[keyOf(p)]
		if same == nil {
			same = &class{}
			x.byKey[keyOf(p)] = same
		}
		same.lines = append(same.lines, i)
		x.lengths = append(x.lengths, p.Bytes)
	}
	slices.Sort(x.lengths)
	x.lengths = slices.Compact(x.lengths)
	return x
}

// compareSequences compares decimal numbers.
func compareSequences(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }

// span is a range of lines: from is the first one, to the first one behind it.
type span struct{ from, to int }

func (s span) has(line int) bool { return line >= s.from && line < s.to }

// span returns the lines that were logged from one time to another.
func (x *index) span(from, to time.Time) span {
	at := func(t time.Time) int {
		return sort.Search(len(x.lines), func(i int) bool { return !x.lines[i].LoggedAt.Before(t) })
	}
	return span{at(from), at(to)}
}

const (
	// near is the number of lines behind the last one that are tried first: an
	// object holds packed records nearly in the order of the log.
	near = 8
	// far bounds the number of used lines that after skips.
	far = 8192
)

// after returns unused lines of a span, at most most, beginning with line.
func (x *index) after(line int, within span, most int) []int {
	for x.first < len(x.lines) && x.used[x.first] > 0 {
		x.first++
	}
	var next []int
	from := max(line, x.first, within.from)
	for i := from; i < min(from+far, within.to) && len(next) < most; i++ {
		if x.used[i] == 0 {
			next = append(next, i)
		}
	}
	return next
}

// use counts the lines of segments as used.
func (x *index) use(segments ...segment) {
	for _, s := range segments {
		if s.line >= 0 {
			x.used[s.line]++
		}
	}
}

// free reverts use.
func (x *index) free(segments ...segment) {
	for _, s := range segments {
		x.used[s.line]--
		x.first = min(x.first, s.line)
		same := x.byKey[keyOf(x.lines[s.line])]
		at, _ := slices.BinarySearch(same.lines, s.line)
		same.first = min(same.first, at)
	}
}

// unused returns the first unused line of a key within a span. Without one it
// returns the line of the key that is nearest to the span, and false.
func (x *index) unused(k key, within span) (line int, ok bool) {
	same := x.byKey[k]
	for same.first < len(same.lines) && x.used[same.lines[same.first]] > 0 {
		same.first++
	}
	at, _ := slices.BinarySearch(same.lines, within.from)
	for i := max(at, same.first); i < len(same.lines) && same.lines[i] < within.to; i++ {
		if x.used[same.lines[i]] == 0 {
			return same.lines[i], true
		}
	}
	return same.lines[min(at, len(same.lines)-1)], false
}

// startsWith reports whether data begins with the packed record of a line.
func (x *index) startsWith(data []byte, line int) bool {
	n := x.lines[line].Bytes
	if n > len(data) {
		return false
	}
	x.budget -= int64(n) + lookEffort
	return xxhash.Sum64(data[:n]) == x.lines[line].Hash
}

// endsWith reports whether data ends with the packed record of a line.
func (x *index) endsWith(data []byte, line int) bool {
	n := x.lines[line].Bytes
	return n <= len(data) && x.startsWith(data[len(data)-n:], line)
}

// starts returns the keys of all packed records with which data begins, the
// shortest first.
func (x *index) starts(data []byte) []key {
	var keys []key
	digest := xxhash.New()
	hashed := 0
	for _, n := range x.lengths {
		if n > len(data) {
			break
		}
		_, _ = digest.Write(data[hashed:n]) // It never fails.
		hashed = n
		if k := (key{n, digest.Sum64()}); x.byKey[k] != nil {
			keys = append(keys, k)
		}
	}
	x.budget -= int64(hashed) + int64(len(x.lengths))*lookEffort
	return keys
}
