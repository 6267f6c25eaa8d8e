package local

import (
	"context"
	"log/slog"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
)

// schedule invokes the drainer's sweep immediately and then once an interval, until
// ctx ends. As on AWS, a sweep that fails is not retried: the next sweep does its
// work.
func schedule(ctx context.Context, drainer *cloud.Function, interval time.Duration, log *slog.Logger) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		// The end of ctx does not interrupt a sweep, so that it settles its claims.
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

func sweep(ctx context.Context, drainer *cloud.Function) error {
	_, err := drainer.Invoke(ctx, []byte(drain.SweepEvent))
	return err
}
