package drain

import (
	"context"
	"slices"
	"time"
)

// scaleInterval is the shortest time between two counts of the drainers at work. It
// is long enough for woken drainers to have a claim.
const scaleInterval = 5 * time.Second

// scaleOut wakes more drainers when the backlog is larger than ScaleOutRecords: in
// proportion to the backlog, up to MaxDrainers. Only the first drainer at work
// decides, so that several drainers do not each wake more. A throttled run does not
// call scaleOut. The caller holds mu.
func (r *run) scaleOut(ctx context.Context, depth int64) {
	now := r.config.Now()
	if depth <= int64(r.config.ScaleOutRecords) || now.Sub(r.scaled) < scaleInterval {
		return
	}
	r.scaled = now
	r.wg.Go(func() {
		if err := r.wakeMore(ctx); err != nil {
			r.config.Log.WarnContext(ctx, logScaleOutFailed, "stream", r.name, "error", err)
		}
	})
}

func (r *run) wakeMore(ctx context.Context) error {
	state, err := r.config.Queue.Inspect(ctx, r.name)
	if err != nil {
		return err
	}
	if i := slices.Index(state.DrainerIDs, r.drainer); i > 0 {
		return nil
	}
	threshold := int64(r.config.ScaleOutRecords)
	wanted := min((state.Depth+threshold-1)/threshold, int64(r.config.MaxDrainers))
	// This drainer works even at a time when it holds no claim.
	working := max(state.Drainers, 1)
	for range wanted - working {
		if err := r.config.Waker.Wake(ctx, r.name, 0); err != nil {
			return err
		}
	}
	return nil
}

// wakeSuccessor wakes another drainer when the invocation ran out of time and some
// records moved. When none moved, the next sweep tries again.
func (r *run) wakeSuccessor(ctx context.Context) {
	moved := r.summary.Forwarded + r.summary.DeadLettered
	if moved == 0 || (r.summary.Depth == 0 && r.summary.Left == 0) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), margin)
	defer cancel()
	state, err := r.config.Queue.Inspect(ctx, r.name)
	if err == nil && state.Depth == 0 {
		return
	}
	if err := r.config.Waker.Wake(ctx, r.name, r.config.Wake.Interval); err != nil {
		r.config.Log.WarnContext(ctx, logWakeFailed, "stream", r.name, "error", err)
	}
}
