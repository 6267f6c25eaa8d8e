package chaos

import (
	"bytes"
	"slices"
	"sync"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// ledger records which records were acknowledged, and counts the copies that are
// found. It holds three bytes for each record and no body. The methods that issue and
// acknowledge are safe for concurrent use, and end before the others begin.
type ledger struct {
	seed uint64

	mu      sync.Mutex // guards the fields below
	records []entry    // by number of the record
	acked   int

	// wrong describes what should not have been found.
	wrong []string
	// extra counts the copies beyond the first of each record.
	extra int
	// unarchivable counts the bodies under failed/ that Firehose refused.
	unarchivable int
}

// entry is what the ledger knows of a record.
type entry struct {
	acked  bool
	copies uint8 // at most 255
	direct bool  // one of the copies is a direct record
}

// next issues a new record.
func (l *ledger) next() record {
	l.mu.Lock()
	n := len(l.records)
	l.records = append(l.records, entry{})
	l.mu.Unlock()
	return makeRecord(l.seed, n)
}

// nextHealthy issues a new record that can be delivered by the tap.
func (l *ledger) nextHealthy() record {
	for {
		if r := l.next(); r.kind == healthy && r.stream.FeedsTap() {
			return r
		}
	}
}

func (l *ledger) ack(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records[n].acked = true
	l.acked++
}

// ackedCount returns the number of acknowledged records.
func (l *ledger) ackedCount() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acked
}

// foundDeadLetters counts the bodies of an object under failed/. The bodies that
// were packed into one Firehose record with an unarchivable body may be there as
// well.
func (l *ledger) foundDeadLetters(where string, bodies ...[]byte) {
	packed := slices.ContainsFunc(bodies, func(b []byte) bool { return bytes.Contains(b, []byte(unarchivableMark)) })
	for _, body := range bodies {
		l.foundDeadLetter(where, packed, body)
	}
}

func (l *ledger) foundDeadLetter(where string, packed bool, body []byte) {
	n, _, ok := parseHeader(body)
	if !ok || n >= len(l.records) {
		l.complain(where, "holds bytes that were never sent")
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
	r := &l.records[n]
	if r.copies > 0 {
		l.extra++
	}
	if r.copies < 255 {
		r.copies++
	}
}

func (l *ledger) complain(where, what string) {
	if len(l.wrong) < maxProblems {
		l.wrong = append(l.wrong, where+" "+what)
	}
}

// foundArchived counts the bodies of an archive object of a stream, which follow
// each other as the format frames them. direct reports whether ingest wrote the
// object: then it may hold records that Kinesis or Firehose would have refused.
func (l *ledger) foundArchived(where string, s stream.Stream, direct bool, object []byte) {
	for len(object) > 0 {
		n, length, ok := parseHeader(object)
		if !ok || n >= len(l.records) || length > len(object) || length < headerLen {
			l.complain(where, "holds bytes that were never sent")
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
		if direct {
			l.records[n].direct = true
		}
		object = object[len(want):]
	}
}

// lost returns the numbers of the acknowledged records that were not found.
func (l *ledger) lost() []int {
	var lost []int
	for n, r := range l.records {
		if r.acked && r.copies == 0 {
			lost = append(lost, n)
		}
	}
	return lost
}
