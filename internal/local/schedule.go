package local

import (
	"context"
	"log/slog"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/drain"
)

// schedule invokes the drainer's sweep at once and then in every interval, until
// ctx ends. As with EventBridge Scheduler, a sweep that fails is not repeated:
// the next one does its work.
func schedule(ctx context.Context, drainer *Function, interval time.Duration, log *slog.Logger) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		// A sweep that runs at the end ends by itself, with all claims settled.
		if err := sweep(context.WithoutCancel(ctx), drainer); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "sweep failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func sweep(ctx context.Context, drainer *Function) error {
	_, err := drainer.Invoke(ctx, []byte(drain.SweepEvent))
	return err
}
