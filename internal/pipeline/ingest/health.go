package ingest

import (
	"context"
	"time"
)

// healthTimeout bounds each of the three checks of a health request.
const healthTimeout = 2 * time.Second

// health answers 200 if a POST could be accepted now: credentials can be checked,
// and the queue or the archive accepts records.
func (h *Handler) health(ctx context.Context, r *request) ([]byte, error) {
	if string(r.method) != "GET" {
		return h.refuse(r, Outcome{}, methodNotAllowed("GET"))
	}
	if within(ctx, h.config.Credentials.Ready) && (h.queueWorks(ctx) || within(ctx, h.config.Archive.Check)) {
		return []byte(healthy), nil
	}
	return h.refuse(r, Outcome{}, &unhealthy)
}

// queueWorks reports whether records are pushed, Redis answers and no stream's
// breaker refuses pushes.
func (h *Handler) queueWorks(ctx context.Context) bool {
	if h.config.BypassQueue {
		return false
	}
	for _, b := range h.breakers {
		if b.isOpen() {
			return false
		}
	}
	return within(ctx, h.config.Queue.Ping)
}

func within(ctx context.Context, check func(context.Context) error) bool {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	return check(ctx) == nil
}
