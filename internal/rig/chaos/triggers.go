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

// schedule invokes a sweep at every interval, even if the previous sweep is still
// running.
func (s *suite) schedule(ctx context.Context) {
	ticker := time.NewTicker(s.settings.schedule)
	defer ticker.Stop()
	running := make(chan struct{}, sweeps)
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		select {
		case running <- struct{}{}:
			wg.Go(func() {
				_, _ = s.functions.drainer.Invoke(ctx, []byte(drain.SweepEvent))
				<-running
			})
		default:
		}
	}
}
