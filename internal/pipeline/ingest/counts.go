package ingest

import (
	"maps"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
)

// Counts holds a Handler's counters since its creation.
type Counts struct {
	// Accepted is the number of records that were answered with 202. AcceptedBytes
	// is the total size of their bodies as kept. Replayed records are not included.
	Accepted, AcceptedBytes int64
	// Replayed is the number of records of repeated requests, which were stored before.
	Replayed int64
	// Archived is the number of direct records by reason.
	Archived map[archive.Reason]int64
	// Refused is the number of requests that were refused, by code.
	Refused map[string]int64
	// Undeclared is the number of accepted bodies that begin like gzip or zstd but
	// have no Content-Encoding.
	Undeclared int64
}

// Counts returns the current counters.
func (h *Handler) Counts() Counts {
	h.counter.mu.Lock()
	defer h.counter.mu.Unlock()
	c := h.counter.counts
	c.Archived, c.Refused = maps.Clone(c.Archived), maps.Clone(c.Refused)
	return c
}

// Outcome is the result of one request.
type Outcome struct {
	// Stream is the name of the stream. It is empty if the request was refused
	// before its stream was looked up.
	Stream string
	// Records is the number of records that were accepted and not known before.
	// Replayed is the number of records of a request that an earlier request with the
	// same idempotency key had stored. Bytes is the size of the body as kept, 0 if the
	// request was refused.
	Records, Replayed, Bytes int
	// Archived is the number of direct records by reason, nil for none.
	Archived map[archive.Reason]int
	// Refused is the code of the refusal, or empty.
	Refused string
	// Undeclared reports whether the accepted body begins like gzip or zstd but has
	// no Content-Encoding.
	Undeclared bool
	// Pushes holds the duration of each push that was tried.
	Pushes []time.Duration
	// Took is the duration of the request.
	Took time.Duration
}

// archived counts n direct records.
func (o *Outcome) archived(why archive.Reason, n int) {
	if o.Archived == nil {
		o.Archived = make(map[archive.Reason]int)
	}
	o.Archived[why] += n
}

// done counts a request's outcome and passes it to the observer.
func (h *Handler) done(r *request, o Outcome) {
	o.Took = time.Since(r.began)
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
	c.counts.Replayed += int64(o.Replayed)
	if o.Records > 0 {
		c.counts.Accepted += int64(o.Records)
		c.counts.AcceptedBytes += int64(o.Bytes)
	}
	if o.Undeclared {
		c.counts.Undeclared++
	}
	for why, n := range o.Archived {
		if c.counts.Archived == nil {
			c.counts.Archived = make(map[archive.Reason]int64)
		}
		c.counts.Archived[why] += int64(n)
	}
	if o.Refused != "" {
		if c.counts.Refused == nil {
			c.counts.Refused = make(map[string]int64)
		}
		c.counts.Refused[o.Refused]++
	}
}
