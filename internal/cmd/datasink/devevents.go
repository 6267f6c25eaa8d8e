package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/ingest"
)

// linesPerSecond bounds the lines of devEvents.
const linesPerSecond = 10

// devEvents prints a line for each accepted record and each written object. Under
// load it prints the first lines of each second, and counts the others. It is safe
// for concurrent use.
type devEvents struct {
	out io.Writer
	now func() time.Time

	mu     sync.Mutex
	second int64
	lines  int // printed in that second
	hidden int // since the last line
}

// accepted prints the outcome of a request that was accepted.
func (e *devEvents) accepted(o ingest.Outcome) {
	switch {
	case o.Records == 1:
		e.print("%s %s", o.Stream, bytesText(int64(o.Bytes)))
	case o.Records > 1:
		e.print("%s %d records, %s", o.Stream, o.Records, bytesText(int64(o.Bytes)))
	}
}

// written prints an object of the archive.
func (e *devEvents) written(key string, bytes int64) { e.print("object %s %s", key, bytesText(bytes)) }

func (e *devEvents) print(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	if second := now.Unix(); second != e.second {
		e.second, e.lines = second, 0
	}
	if e.lines >= linesPerSecond {
		e.hidden++
		return
	}
	e.lines++
	at := now.Format("15:04:05")
	if e.hidden > 0 {
		fmt.Fprintf(e.out, "%s … %d more\n", at, e.hidden)
		e.hidden = 0
	}
	fmt.Fprintf(e.out, "%s %s\n", at, fmt.Sprintf(format, args...))
}
