package chaos

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
)

const (
	// visibility is the time after which a wake-up that failed is delivered again.
	// wakeUpTries is the number of deliveries, after which the schedule takes over.
	visibility  = drainerTimeout + time.Second
	wakeUpTries = 3
	// sweeps is the number of sweeps that may run at once.
	sweeps = 2
)

// deliverWakeUps is the event source mapping of the queue of wake-ups.
func (s *suite) deliverWakeUps(ctx context.Context) {
	cloud.NewQueueMapping(cloud.QueueMappingOptions{
		Queue: s.aws.Queues[wakePath], Function: s.functions.drainer, Concurrency: s.settings.wakeUps,
		Visibility: visibility, Retry: visibility, MaxReceives: wakeUpTries, Log: slog.New(slog.DiscardHandler),
	}).Run(ctx)
}

// schedule invokes a sweep at every interval, even if the previous one still runs.
func (s *suite) schedule(ctx context.Context) {
	ticker := time.NewTicker(s.settings.schedule)
	defer ticker.Stop()
	var wg sync.WaitGroup
	for range sweeps {
		wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
					_, _ = s.functions.drainer.Invoke(ctx, []byte(drain.SweepEvent))
				}
			}
		})
	}
	wg.Wait()
}
