package verify

import (
	"cmp"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/data-sink/data-sink/internal/pipeline/pack"
)

// ledger is the packed records that the bridge logged, and which of them were
// found in objects.
type ledger struct {
	lines []pack.Line // in the order of the log
	found []int       // how often each was found
	byKey map[key]*alike
	// lengths are those of lines, each once, ascending.
	lengths []int
	// first is a line before which all were found.
	first int
	// budget is how many more bytes may be hashed, see refill.
	budget int64
	// kept are objects explained before, see keep.
	kept      []*explained
	keptBytes int
}

// alike is lines whose packed records have the same bytes.
type alike struct {
	lines []int // ascending
	first int   // position of a line before which all were found
}

// key is what identifies the bytes of a packed record.
type key struct {
	bytes int
	hash  uint64
}

func keyOf(p pack.Line) key { return key{p.Bytes, p.Hash} }

func newLedger(lines []pack.Line) *ledger {
	slices.SortStableFunc(lines, func(a, b pack.Line) int {
		return cmp.Or(a.LoggedAt.Compare(b.LoggedAt), compareSequences(a.FirstSequence, b.FirstSequence))
	})
	l := &ledger{lines: lines, found: make([]int, len(lines)), byKey: make(map[key]*alike)}
	for i, p := range lines {
		same := l.byKey[keyOf(p)]
		if same == nil {
			same = &alike{}
			l.byKey[keyOf(p)] = same
		}
		same.lines = append(same.lines, i)
		l.lengths = append(l.lengths, p.Bytes)
	}
	slices.Sort(l.lengths)
	l.lengths = slices.Compact(l.lengths)
	return l
}

// compareSequences compares decimal numbers.
func compareSequences(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }

// near is how many lines behind the last one found are looked at first: objects
// hold packed records nearly in the order of the log. far is how many lines are
// passed over at most because they were found already.
const (
	near = 8
	far  = 8192
)

// after returns lines that were not found yet, from one on and at most so many.
func (l *ledger) after(line, most int) []int {
	for l.first < len(l.lines) && l.found[l.first] > 0 {
		l.first++
	}
	var next []int
	from := max(line, l.first)
	for i := from; i < min(from+far, len(l.lines)) && len(next) < most; i++ {
		if l.found[i] == 0 {
			next = append(next, i)
		}
	}
	return next
}

// note counts the packed records of segments as found.
func (l *ledger) note(segments ...segment) {
	for _, s := range segments {
		if s.line >= 0 {
			l.found[s.line]++
		}
	}
}

// forget takes a note back.
func (l *ledger) forget(segments ...segment) {
	for _, s := range segments {
		l.found[s.line]--
		l.first = min(l.first, s.line)
		same := l.byKey[keyOf(l.lines[s.line])]
		at, _ := slices.BinarySearch(same.lines, s.line)
		same.first = min(same.first, at)
	}
}

// unfound returns the first line of that key that was not found yet, or else the
// first one and false.
func (l *ledger) unfound(k key) (line int, ok bool) {
	same := l.byKey[k]
	for same.first < len(same.lines) && l.found[same.lines[same.first]] > 0 {
		same.first++
	}
	if same.first < len(same.lines) {
		return same.lines[same.first], true
	}
	return same.lines[0], false
}

// startsWith reports whether data begins with the packed record of a line.
func (l *ledger) startsWith(data []byte, line int) bool {
	n := l.lines[line].Bytes
	if n > len(data) {
		return false
	}
	l.budget -= int64(n) + lookEffort
	return xxhash.Sum64(data[:n]) == l.lines[line].Hash
}

// endsWith reports whether data ends with the packed record of a line.
func (l *ledger) endsWith(data []byte, line int) bool {
	n := l.lines[line].Bytes
	return n <= len(data) && l.startsWith(data[len(data)-n:], line)
}

// starts returns the keys of all packed records with which data begins, the
// shortest first.
func (l *ledger) starts(data []byte) []key {
	var keys []key
	digest := xxhash.New()
	hashed := 0
	for _, n := range l.lengths {
		if n > len(data) {
			break
		}
		_, _ = digest.Write(data[hashed:n]) // It never fails.
		hashed = n
		if k := (key{n, digest.Sum64()}); l.byKey[k] != nil {
			keys = append(keys, k)
		}
	}
	l.budget -= int64(hashed) + int64(len(l.lengths))*lookEffort
	return keys
}
