package ingest

import (
	"context"
	"time"

	"github.com/sony/gobreaker/v2"
)

// healthTimeout bounds each of the three looks of a health check.
const healthTimeout = 2 * time.Second

// health answers 200 when a POST could be accepted now: the credentials can be
// checked, and the queue or else the archive takes records.
func (h *Handler) health(ctx context.Context, r *request) ([]byte, error) {
	if string(r.method) != "GET" {
		m := methodNotAllowed("GET")
		return h.refuse(r, Outcome{}, &m)
	}
	if within(ctx, h.config.Credentials.Ready) && (h.queueWorks(ctx) || within(ctx, h.config.Archive.Check)) {
		return []byte(healthy), nil
	}
	return h.refuse(r, Outcome{}, &unhealthy)
}

// queueWorks reports whether a push would be tried and Redis answers.
func (h *Handler) queueWorks(ctx context.Context) bool {
	return h.breaker.State() != gobreaker.StateOpen && within(ctx, h.config.Queue.Ping)
}

func within(ctx context.Context, look func(context.Context) error) bool {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	return look(ctx) == nil
}
