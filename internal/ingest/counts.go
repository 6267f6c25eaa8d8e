package ingest

import (
	"maps"
	"sync"

	"github.com/data-sink/data-sink/internal/archive"
)

// Counts is what a Handler has done since it was made.
type Counts struct {
	// Accepted is the number of records that were answered with 202, and
	// AcceptedBytes the length of their bodies as kept.
	Accepted, AcceptedBytes int64
	// Archived is how many of them went straight to the archive, by reason.
	Archived map[archive.Reason]int64
	// Refused is the number of requests that were refused, by code.
	Refused map[string]int64
}

// Counts returns what h has done so far.
func (h *Handler) Counts() Counts {
	h.counter.mu.Lock()
	defer h.counter.mu.Unlock()
	c := h.counter.counts
	c.Archived, c.Refused = maps.Clone(c.Archived), maps.Clone(c.Refused)
	return c
}

type counter struct {
	mu     sync.Mutex
	counts Counts
}

func (c *counter) accepted(bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Accepted++
	c.counts.AcceptedBytes += int64(bytes)
}

func (c *counter) archived(why archive.Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts.Archived == nil {
		c.counts.Archived = make(map[archive.Reason]int64)
	}
	c.counts.Archived[why]++
}

func (c *counter) refused(code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts.Refused == nil {
		c.counts.Refused = make(map[string]int64)
	}
	c.counts.Refused[code]++
}
