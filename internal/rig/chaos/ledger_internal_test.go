package chaos

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// fillLedger issues and acknowledges n records, and returns the objects that hold
// them, by stream.
func fillLedger(l *ledger, n int) map[string][]byte {
	objects := make(map[string][]byte)
	for range n {
		r := l.next()
		l.ack(r.n)
		if r.kind == healthy {
			objects[r.stream.Name] = r.stream.Format.AppendFramed(objects[r.stream.Name], r.body)
		} else {
			l.foundDeadLetters("failed/", r.body)
		}
	}
	return objects
}

func lookup(t *testing.T, name string) stream.Stream {
	t.Helper()
	s, ok := streams.Lookup(name)
	if !ok {
		t.Fatalf("no stream %s", name)
	}
	return s
}

func TestTheLedgerCountsEveryRecordOnce(t *testing.T) {
	t.Parallel()
	l := &ledger{seed: 7}
	for name, object := range fillLedger(l, 1600) {
		l.foundArchived(name, lookup(t, name), false, object)
	}
	if lost := l.lost(); len(lost) > 0 {
		t.Errorf("lost %v, want none", lost)
	}
	if l.extra > 0 || len(l.wrong) > 0 {
		t.Errorf("%d extra copies, wrong %v, want none", l.extra, l.wrong)
	}
}

func TestTheLedgerFindsLossesCopiesAndChanges(t *testing.T) {
	t.Parallel()
	for _, s := range streamList {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			l := &ledger{seed: 7}
			objects := fillLedger(l, 300)
			object := objects[s.Name]
			_, length, _ := parseHeader(object)
			second := s.Format.AppendFramed(nil, object[:length])
			// The first record is missing, the second occurs twice, and a byte of the
			// third differs.
			object = object[len(second):]
			_, length, _ = parseHeader(object)
			object = append(slices.Clone(object), object[:length]...)
			if s.Format == stream.Lines && object[len(object)-1] != '\n' {
				object = append(object, '\n')
			}
			changed := bytes.Index(object[2*length:], []byte(`"x":"`)) + 2*length + len(`"x":"`)
			object[changed] ^= 1
			objects[s.Name] = object
			for name, object := range objects {
				l.foundArchived(name, lookup(t, name), false, object)
			}
			if lost := l.lost(); len(lost) != 2 || l.extra != 1 {
				t.Errorf("lost %v, %d extra, want two and one", lost, l.extra)
			}
			if len(l.wrong) == 0 || !strings.Contains(l.wrong[0], "differs") {
				t.Errorf("wrong %v, want a body that differs", l.wrong)
			}
		})
	}
}

func TestTheLedgerRefusesRecordsInTheWrongPlace(t *testing.T) {
	t.Parallel()
	l := &ledger{seed: 7}
	objects := fillLedger(l, 600)
	l.foundArchived("page-views", lookup(t, "page-views"), false, objects["orders"])
	l.foundDeadLetters("failed/", makeRecord(7, 1).body)
	poison := makeRecord(7, poisonEvery/2)
	l.foundArchived("bridge's", poison.stream, false, poison.stream.Format.AppendFramed(nil, poison.body))
	unarchivable := makeRecord(7, unarchivableAt)
	l.foundArchived("bridge's", unarchivable.stream, false, unarchivable.stream.Format.AppendFramed(nil, unarchivable.body))
	ok := len(l.wrong)
	l.foundDeadLetters("failed/", unarchivable.body, makeRecord(7, 1).body) // packed together
	l.foundArchived("ingest's", poison.stream, true, poison.stream.Format.AppendFramed(nil, poison.body))
	if ok < 4 || len(l.wrong) != ok {
		t.Errorf("wrong %v, want four, and none of the last two objects", l.wrong)
	}
}
