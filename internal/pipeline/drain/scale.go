package drain

import (
	"context"
	"slices"
	"time"
)

// scaleInterval is the least time between two looks at how many drainers work:
// long enough for those that were woken to have a claim.
const scaleInterval = 5 * time.Second

// scaleOut wakes more drainers when the backlog is over what one should carry:
// as many as the backlog is in proportion to, up to MaxDrainers. Of the drainers
// at work the first decides, so that they do not all call for more. A lane that
// is throttled never comes here. The caller holds mu.
func (l *lane) scaleOut(ctx context.Context, depth int64) {
	now := l.h.o.Now()
	if depth <= int64(l.h.o.ScaleOutRecords) || now.Sub(l.scaled) < scaleInterval {
		return
	}
	l.scaled = now
	l.wg.Go(func() {
		if err := l.wakeMore(ctx); err != nil {
			l.h.o.Log.WarnContext(ctx, logScaleOutFailed, "stream", l.name, "error", err)
		}
	})
}

func (l *lane) wakeMore(ctx context.Context) error {
	state, err := l.h.o.Queue.Inspect(ctx, l.name)
	if err != nil {
		return err
	}
	if i := slices.Index(state.DrainerIDs, l.drainer); i > 0 {
		return nil
	}
	threshold := int64(l.h.o.ScaleOutRecords)
	wanted := min((state.Depth+threshold-1)/threshold, int64(l.h.o.MaxDrainers))
	// This one works even in a moment in which it holds no claim.
	working := max(state.Drainers, 1)
	for range wanted - working {
		if err := l.h.o.Waker.Wake(ctx, l.name, 0); err != nil {
			return err
		}
	}
	return nil
}

// wakeSuccessor hands the stream on when time ran out on a queue that moves. A
// queue that does not move waits for the sweep.
func (l *lane) wakeSuccessor(ctx context.Context) {
	moved := l.summary.Forwarded + l.summary.Aside
	if moved == 0 || (l.summary.Depth == 0 && l.summary.Left == 0) {
		return
	}
	state, err := l.h.o.Queue.Inspect(ctx, l.name)
	if err == nil && state.Depth == 0 {
		return
	}
	if err := l.h.o.Waker.Wake(ctx, l.name, l.h.o.WakeInterval); err != nil {
		l.h.o.Log.WarnContext(ctx, logWakeFailed, "stream", l.name, "error", err)
	}
}
