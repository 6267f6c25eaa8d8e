package bridge

import (
	"slices"
	"sync"
)

// workspace is the memory of one invocation, about 6 MB for a full event. It is
// reused by later invocations.
type workspace struct {
	records []record
	packed  []byte
}

var workspaces = sync.Pool{New: func() any { return new(workspace) }}

// reserve makes room for n packed bytes.
func (w *workspace) reserve(n int) { w.packed = slices.Grow(w.packed[:0], n) }

// free returns the workspace for reuse.
func (w *workspace) free() {
	w.forget()
	workspaces.Put(w)
}

// forget drops the records, because they alias an event that must not outlive its
// invocation.
func (w *workspace) forget() {
	clear(w.records)
	w.records = w.records[:0]
}
