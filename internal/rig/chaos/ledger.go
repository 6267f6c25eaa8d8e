package chaos

import (
	"bytes"
	"slices"
	"sync"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// ledger knows which records were acknowledged, and counts what is found again.
// It holds two bytes for each record and none of the bodies. It is safe for
// concurrent use.
type ledger struct {
	seed uint64

	mu     sync.Mutex
	issued int
	acked  []bool  // by number
	copies []uint8 // by number; counted up to 255
	ackedN int

	// What was found beyond copies of records, in words.
	wrong []string
	// extra counts copies beyond the first.
	extra int
	// unarchivable counts bodies that were found under failed/ because Firehose
	// refused them.
	unarchivable int
}

func newLedger(seed uint64) *ledger { return &ledger{seed: seed} }

// next returns a record that was never issued.
func (l *ledger) next() record {
	l.mu.Lock()
	n := l.issued
	l.issued++
	l.acked = append(l.acked, false)
	l.copies = append(l.copies, 0)
	l.mu.Unlock()
	return makeRecord(l.seed, n)
}

// nextHealthy returns a record that can be delivered and was never issued.
func (l *ledger) nextHealthy() record {
	for {
		if r := l.next(); r.kind == healthy {
			return r
		}
	}
}

func (l *ledger) ack(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[n] = true
	l.ackedN++
}

// ackedCount is how many records were acknowledged.
func (l *ledger) ackedCount() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ackedN
}

// foundAside counts the bodies of an object under failed/. What Firehose refused
// is there with all that was packed into the same record.
func (l *ledger) foundAside(where string, bodies ...[]byte) {
	packed := slices.ContainsFunc(bodies, func(b []byte) bool { return bytes.Contains(b, []byte(unarchivableMark)) })
	for _, body := range bodies {
		l.foundOneAside(where, packed, body)
	}
}

func (l *ledger) foundOneAside(where string, packed bool, body []byte) {
	n, _, ok := parseHeader(body)
	if !ok || n >= l.issued {
		l.complain(where, "holds what was never sent")
		return
	}
	r := makeRecord(l.seed, n)
	switch {
	case !bytes.Equal(r.body, body):
		l.complain(where, "holds a record whose body differs")
	case r.kind == healthy && !packed:
		l.complain(where, "holds a record that could have been delivered")
	case r.kind == unarchivable:
		l.unarchivable++
	}
	l.count(n)
}

func (l *ledger) count(n int) {
	if l.copies[n] > 0 {
		l.extra++
	}
	if l.copies[n] < 255 {
		l.copies[n]++
	}
}

func (l *ledger) complain(where, what string) {
	if len(l.wrong) < maxProblems {
		l.wrong = append(l.wrong, where+" "+what)
	}
}

// foundArchived counts the bodies of an object of the archive, one behind the
// other as the stream's format frames them. direct says that ingest has written
// it by itself: then it may hold what could not have been delivered.
func (l *ledger) foundArchived(where string, s stream.Stream, direct bool, object []byte) {
	for len(object) > 0 {
		n, length, ok := parseHeader(object)
		if !ok || n >= l.issued || length > len(object) || length < headerLen {
			l.complain(where, "holds what was never sent")
			next := bytes.Index(object[1:], []byte(bodyBegin))
			if next < 0 {
				return
			}
			object = object[1+next:]
			continue
		}
		r := makeRecord(l.seed, n)
		want := s.Format.AppendFramed(nil, r.body)
		if !bytes.HasPrefix(object, want) {
			l.complain(where, "holds a record whose body differs")
			object = object[length:]
			continue
		}
		if r.stream.Name != s.Name || r.kind == undecodable || r.kind != healthy && !direct {
			l.complain(where, "holds a record that does not belong there")
		}
		l.count(n)
		object = object[len(want):]
	}
}

// lost returns the records that were acknowledged and not found.
func (l *ledger) lost() []int {
	var lost []int
	for n, acked := range l.acked {
		if acked && l.copies[n] == 0 {
			lost = append(lost, n)
		}
	}
	return lost
}
