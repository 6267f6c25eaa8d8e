package ingest

import (
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
)

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

// done passes the outcome of a request to the observer.
func (h *Handler) done(r *request, o Outcome) {
	o.Took = time.Since(r.began)
	h.config.Observe(o)
}
