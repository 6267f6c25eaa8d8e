package ingest

import (
	"maps"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
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

// Outcome is what became of one request.
type Outcome struct {
	// Stream is the record's stream; empty for a request that got not that far.
	Stream string
	// Accepted is whether the record was answered with 202, and Bytes the length
	// of its body as kept.
	Accepted bool
	Bytes    int
	// Archived is why the record went straight to the archive, or empty.
	Archived archive.Reason
	// Refused is the code of the refusal, or empty.
	Refused string
	// Pushed is whether a push was tried, and PushTime how long it took.
	Pushed   bool
	PushTime time.Duration
}

// done counts a request's outcome, and tells the observer.
func (h *Handler) done(o Outcome) {
	h.counter.add(o)
	if h.config.Observe != nil {
		h.config.Observe(o)
	}
}

type counter struct {
	mu     sync.Mutex
	counts Counts
}

func (c *counter) add(o Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o.Accepted {
		c.counts.Accepted++
		c.counts.AcceptedBytes += int64(o.Bytes)
	}
	if o.Archived != "" {
		if c.counts.Archived == nil {
			c.counts.Archived = make(map[archive.Reason]int64)
		}
		c.counts.Archived[o.Archived]++
	}
	if o.Refused != "" {
		if c.counts.Refused == nil {
			c.counts.Refused = make(map[string]int64)
		}
		c.counts.Refused[o.Refused]++
	}
}
