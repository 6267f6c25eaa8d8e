package page

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/data-sink/data-sink/internal/pipeline/envelope"
)

const (
	// keptRecords is how many records of a stream are kept, cutBytes how much of
	// the body of each.
	keptRecords = 20
	cutBytes    = 200
	// A busy stream would show nothing that one could read: of each window only
	// the first keptRecords are looked at.
	lookWindow = 250 * time.Millisecond
)

// seen is a record that was accepted, with its body cut.
type seen struct {
	ID, Key, Body string
	ReceivedAt    time.Time
	Size          int
	// Straight is why the record went straight to the archive, empty when it did not.
	Straight string
}

// newest is the last records of a stream. It is safe for concurrent use.
type newest struct {
	mu      sync.Mutex
	records [keptRecords]seen
	next    int
	window  time.Time
	looked  int
}

// look reports whether another record is worth a look now.
func (n *newest) look(now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now.Sub(n.window) >= lookWindow {
		n.window, n.looked = now, 0
	}
	n.looked++
	return n.looked <= keptRecords
}

func (n *newest) add(r seen) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.records[n.next] = r
	n.next = (n.next + 1) % keptRecords
}

// all returns the records, the newest first.
func (n *newest) all() []seen {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []seen
	for i := range keptRecords {
		r := n.records[(n.next+2*keptRecords-1-i)%keptRecords]
		if !r.ReceivedAt.IsZero() {
			all = append(all, r)
		}
	}
	return all
}

// pushed keeps a record that went into the queue.
func (n *newest) pushed(now time.Time, encoded []byte) {
	if !n.look(now) {
		return
	}
	r, err := envelope.Decode(encoded)
	if err != nil {
		return // The drainer will say so.
	}
	n.add(seen{ID: r.ID, Key: r.PartitionKey, ReceivedAt: r.ReceivedAt, Size: len(r.Body), Body: preview(bytes.NewReader(r.Body), cutBytes)})
}

// preview returns the beginning of some bytes as text: at most limit bytes, of what
// is gzipped those inside, and of what is no text a hex dump.
func preview(r io.Reader, limit int) string {
	head, rest := peek(r, 2)
	r = io.MultiReader(bytes.NewReader(head), rest)
	if bytes.Equal(head, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(r)
		if err != nil {
			return fmt.Sprintf("(damaged gzip: %v)", err)
		}
		r = z
	}
	b, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	note := ""
	if err != nil {
		note = fmt.Sprintf(" (cannot be read further: %v)", err)
	}
	more := len(b) > limit
	if more {
		b = b[:limit]
		note = "…"
		for i := 0; i < utf8.UTFMax-1 && !utf8.Valid(b); i++ {
			b = b[:len(b)-1] // A character that the cut has split.
		}
	}
	if !isReadable(b) {
		return strings.TrimRight(hex.Dump(b[:min(len(b), limit/4)]), "\n") + note
	}
	return string(b) + note
}

func peek(r io.Reader, n int) ([]byte, io.Reader) {
	head := make([]byte, n)
	read, _ := io.ReadFull(r, head) // A shorter text is read to its end.
	return head[:read], r
}

func isReadable(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for _, c := range string(b) {
		if unicode.IsControl(c) && c != '\n' && c != '\r' && c != '\t' {
			return false
		}
	}
	return true
}
