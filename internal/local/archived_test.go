package local_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/s3test"
)

// tally records what was sent, and counts it in an archive.
type tally struct {
	mu      sync.Mutex
	streams *stream.Set
	entries map[string]map[string]*entry // by stream and framed body
}

// entry is one body of one stream, framed. Short bodies may be sent many times.
type entry struct {
	framed            []byte
	sent, acked, kept int
}

func newTally(set *stream.Set) *tally {
	l := &tally{streams: set, entries: make(map[string]map[string]*entry)}
	for _, name := range set.Names() {
		l.entries[name] = make(map[string]*entry)
	}
	return l
}

// framed is a body as the archive has it.
func (l *tally) framed(name string, body []byte) []byte {
	s, _ := l.streams.Lookup(name)
	return s.Format.AppendFramed(nil, body)
}

// sending records a body before it is sent. It may arrive although the answer is
// not 202.
func (l *tally) sending(name string, body []byte) *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	framed := l.framed(name, body)
	e, ok := l.entries[name][string(framed)]
	if !ok {
		e = &entry{framed: framed}
		l.entries[name][string(framed)] = e
	}
	e.sent++
	return e
}

func (l *tally) acked(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.acked++
}

// prefixLen is the length of the prefix by which a body is found.
const prefixLen = 12

// find splits every object below root into bodies that were sent, and counts them.
// Other bytes fail the test.
func (l *tally) find(tb testing.TB, root string) {
	tb.Helper()
	for name, entries := range l.entries {
		index := make(map[string][]*entry)
		for _, e := range entries {
			key := string(e.framed[:min(prefixLen, len(e.framed))])
			index[key] = append(index[key], e)
		}
		for _, same := range index {
			slices.SortFunc(same, func(a, b *entry) int { return cmp.Compare(len(b.framed), len(a.framed)) })
		}
		keys, err := filepath.Glob(filepath.Join(root, name))
		if err != nil {
			tb.Fatal(err)
		}
		for _, dir := range keys {
			for key, object := range s3test.Objects(tb, dir) {
				if at, ok := explain(index, []byte(object)); !ok {
					tb.Errorf("%s/%s: byte %d of %d does not begin a body that was sent", name, key, at, len(object))
				}
			}
		}
	}
	for _, dir := range []string{"failed", "aws"} {
		found, err := filepath.Glob(filepath.Join(root, dir))
		if err != nil {
			tb.Fatal(err)
		}
		for _, below := range found {
			for key, object := range s3test.Objects(tb, below) {
				if err := l.findKept(dir, object); err != nil {
					tb.Errorf("%s/%s: %v", dir, key, err)
				}
			}
		}
	}
}

// explain counts the bodies in an object. Of several that fit it takes the longest,
// because long bodies are random.
func explain(index map[string][]*entry, object []byte) (at int, ok bool) {
	for at < len(object) {
		var best *entry
		for n := min(prefixLen, len(object)-at); n > 0 && best == nil; n-- {
			for _, e := range index[string(object[at:at+n])] {
				if (n == prefixLen || len(e.framed) == n) && bytes.HasPrefix(object[at:], e.framed) {
					best = e
					break
				}
			}
		}
		if best == nil {
			return at, false
		}
		best.kept++
		at += len(best.framed)
	}
	return at, true
}

// findKept counts the records that are kept under failed/ or aws/.
func (l *tally) findKept(dir, object string) error {
	count := func(name string, body []byte) error {
		e, ok := l.entries[name][string(l.framed(name, body))]
		if !ok {
			return fmt.Errorf("a body of %d bytes of %s that was not sent", len(body), name)
		}
		e.kept++
		return nil
	}
	if dir == "failed" {
		return archive.ReadDeadLetters(strings.NewReader(object), func(a archive.DeadLetter) error { return count(a.Stream, a.Body) })
	}
	var given struct{ Payload string }
	if err := json.Unmarshal([]byte(object), &given); err != nil {
		return err
	}
	var event events.KinesisEvent
	if err := json.Unmarshal([]byte(given.Payload), &event); err != nil {
		return err
	}
	for _, r := range event.Records {
		_, name, _ := strings.Cut(r.EventSourceArn, ":stream/datasink.")
		if err := count(name, r.Kinesis.Data); err != nil {
			return err
		}
	}
	return nil
}

// totals returns the number of acknowledged records and of duplicates. A missing
// acknowledged record fails the test.
func (l *tally) totals(tb testing.TB) (acked, twice int) {
	tb.Helper()
	for name, entries := range l.entries {
		for _, e := range entries {
			acked += e.acked
			twice += max(0, e.kept-e.sent)
			if e.kept < e.acked {
				tb.Errorf("%s: %d of %d acknowledged records with the %d bytes %.40q are in the archive", name, e.kept, e.acked, len(e.framed), e.framed)
			}
		}
	}
	return acked, twice
}
