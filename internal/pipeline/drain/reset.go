package drain

import (
	"context"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
)

// reset reports whether the counters of a queue went back since the last sweep of
// this process: Redis has lost its data, or a replica that was behind took over. The
// lists and counters in Redis agree after that, so that Reconcile finds nothing.
// reset logs it and returns the last known backlog in records, which is an estimate
// of the loss: records accepted after the last sweep are not in it, and some of its
// records may have been forwarded. It returns 0 if the counters did not go back or
// no records waited.
//
// A reset before the first sweep of a process remains unknown to this process, and
// so does one after which as many records were accepted as before. Each process that
// sweeps reports a reset once. The caller holds observing.
func (h *Handler) reset(ctx context.Context, name string, state queue.State) (backlog int64) {
	last := h.last[name]
	h.last[name] = state
	if state.Accepted >= last.Accepted {
		return 0
	}
	backlog = last.Depth + last.ClaimedRecords
	h.config.Log.ErrorContext(ctx, logReset, "stream", name, "backlog", backlog, "accepted", state.Accepted, "accepted_before", last.Accepted)
	return max(0, backlog)
}
