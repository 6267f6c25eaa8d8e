package main

import (
	"fmt"
	"io"
	"sync"

	"github.com/vbauerster/mpb/v8"
)

// bar is a progress bar. The zero value shows nothing. It is safe for concurrent
// use.
type bar struct {
	container *mpb.Progress
	bar       *mpb.Bar
	known     bool // whether the total is known

	mu     sync.Mutex
	note   string
	passed int64
}

// add advances the bar by n units.
func (b *bar) add(n int64) {
	if b.bar == nil {
		return
	}
	b.mu.Lock()
	b.passed += n
	passed := b.passed
	b.mu.Unlock()
	if !b.known {
		// A bar that reaches its total completes, so the total stays one ahead.
		b.bar.SetTotal(passed+1, false)
	}
	b.bar.IncrInt64(n)
}

// say shows a note beside the bar.
func (b *bar) say(note string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note = printable(note)
}

func (b *bar) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.note
}

// print writes a line to w, or above the bar if the bar is shown.
func (b *bar) print(w io.Writer, format string, args ...any) {
	if b.bar != nil {
		w = b.container
	}
	fmt.Fprintln(w, printable(fmt.Sprintf(format, args...)))
}

// end draws the bar for the last time and releases the terminal. It may be called
// more than once.
func (b *bar) end() {
	if b.bar == nil {
		return
	}
	if !b.known {
		b.bar.SetTotal(-1, true)
	}
	b.bar.Abort(false) // no effect on a completed bar
	b.container.Wait()
	b.bar = nil
}
