package ingest

import (
	"bytes"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// maxLines is the maximum number of lines of a batch. It must fit into 16 bits.
const maxLines = 10_000

// cursor is a position in the body of a batch, from which it walks over the lines. It skips lines that are empty or consist
// of one "\r". A copy of a cursor walks independently.
type cursor struct {
	rest []byte
	// index is the number of lines before the cursor, and queued the number of those
	// that are not oversize.
	index, queued int
}

// next returns the next line without its "\n", and false after the last line. The
// line's index is that of the cursor before the call.
func (c *cursor) next() ([]byte, bool) {
	for len(c.rest) > 0 {
		line, rest, _ := bytes.Cut(c.rest, []byte("\n"))
		c.rest = rest
		if len(line) == 0 || len(line) == 1 && line[0] == '\r' {
			continue
		}
		c.index++
		if !isOversize(line) {
			c.queued++
		}
		return line, true
	}
	return nil, false
}

// nextQueued is like next, but it skips oversize lines.
func (c *cursor) nextQueued() (line []byte, index int, ok bool) {
	for {
		index = c.index
		line, ok = c.next()
		if !ok || !isOversize(line) {
			return line, index, ok
		}
	}
}

// isOversize reports whether a line of a lines stream is too large for the tap.
func isOversize(line []byte) bool { return stream.Lines.FramedLen(line) > stream.MaxFramedBytes }

// countLines returns the number of lines of a body, the number of those that are not
// oversize and the size of the latter in bytes. It stops after maxLines+1 lines.
func countLines(body []byte) (lines, queued, queuedBytes int) {
	c := cursor{rest: body}
	for c.index <= maxLines {
		line, ok := c.next()
		if !ok {
			break
		}
		if !isOversize(line) {
			queuedBytes += len(line)
		}
	}
	return c.index, c.queued, queuedBytes
}

// join returns the lines from c on that are not oversize, each followed by "\n", with
// the index of the first one and their number.
func (c cursor) join() (lines []byte, first, n int) {
	lines = make([]byte, 0, len(c.rest)+1)
	for {
		line, index, ok := c.nextQueued()
		if !ok {
			return lines, first, n
		}
		if n == 0 {
			first = index
		}
		lines = append(append(lines, line...), '\n')
		n++
	}
}
