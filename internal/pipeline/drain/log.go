package drain

import (
	"context"
	"errors"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
)

// Names of the log lines. Alarms may filter on them.
const (
	logWakeMalformed  = "wake_malformed"
	logWakeFailed     = "wake_failed"
	logScaleOutFailed = "scale_out_failed"
	logDrainFailed    = "drain_failed"
	logDeadLetters    = "records_put_aside"
	logClaimsLost     = "claims_lost"
	logReclaimed      = "records_reclaimed"
	logThrottled      = "throttled"
	logPolicyUnknown  = "eviction_policy_unknown"
	logPolicyDrops    = "eviction_policy_drops_records"
	logUninspected    = "queues_not_inspected"
	logLost           = "records_lost"
	logReset          = "queue_reset"
	logNoReplicas     = "not_enough_replicas"
	logPermissions    = "redis_permissions_missing"
)

// report logs the problems of a stream, once, and calls the observer.
func (h *Handler) report(ctx context.Context, s Summary) {
	if s.Err != nil && !errors.Is(s.Err, queue.ErrNoReplicas) {
		h.config.Log.ErrorContext(ctx, logDrainFailed, "stream", s.Stream, "left", s.Left, "error", s.Err)
	}
	if s.DeadLettered > 0 {
		h.config.Log.ErrorContext(ctx, logDeadLetters, "stream", s.Stream, "count", s.DeadLettered)
	}
	if s.LostClaims > 0 {
		h.config.Log.WarnContext(ctx, logClaimsLost, "stream", s.Stream, "count", s.LostClaims)
	}
	if s.Reclaimed > 0 {
		h.config.Log.WarnContext(ctx, logReclaimed, "stream", s.Stream, "count", s.Reclaimed)
	}
	if s.Throttled > 0 {
		h.config.Log.WarnContext(ctx, logThrottled, "stream", s.Stream, "count", s.Throttled)
	}
	h.config.Observe(s)
}
