package main

import (
	"fmt"
	"io"
	"sync"

	"github.com/vbauerster/mpb/v8"
)

// bar is a progress bar; the zero value shows nothing. It is safe for concurrent
// use.
type bar struct {
	container *mpb.Progress
	bar       *mpb.Bar
	known     bool // the total

	mu     sync.Mutex
	note   string
	passed int64
}

// add moves the bar.
func (b *bar) add(n int64) {
	if b.bar == nil {
		return
	}
	b.mu.Lock()
	b.passed += n
	passed := b.passed
	b.mu.Unlock()
	if !b.known {
		// One more than is done, for the bar to go on.
		b.bar.SetTotal(passed+1, false)
	}
	b.bar.IncrInt64(n)
}

// say shows a note beside the bar.
func (b *bar) say(note string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note = note
}

func (b *bar) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.note
}

// print writes a line to w, above the bar when that is shown there.
func (b *bar) print(w io.Writer, format string, args ...any) {
	if b.bar != nil {
		w = b.container
	}
	fmt.Fprintf(w, format+"\n", args...)
}

// end shows the bar as it is now and lets go of the terminal. It may be called
// more than once.
func (b *bar) end() {
	if b.bar == nil {
		return
	}
	if !b.known {
		b.bar.SetTotal(-1, true)
	}
	b.bar.Abort(false) // which a bar that is full ignores
	b.container.Wait()
	b.bar = nil
}
