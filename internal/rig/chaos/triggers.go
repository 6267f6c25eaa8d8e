package chaos

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/rig/awstest"
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
	var wg sync.WaitGroup
	for range s.settings.wakeUps {
		wg.Go(func() {
			for {
				sent, ok := s.aws.server.SQS.Receive(ctx, wakePath, visibility)
				if !ok {
					return
				}
				if s.serveWakeUp(ctx, sent) || sent.Received >= wakeUpTries {
					s.aws.server.SQS.Delete(wakePath, sent.ID)
				}
			}
		})
	}
	wg.Wait()
}

func (s *suite) serveWakeUp(ctx context.Context, sent awstest.Sent) bool {
	event, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{
		MessageId: sent.ID, Body: sent.Body, EventSource: "aws:sqs", EventSourceARN: "arn:aws:sqs:us-east-1:000000000000:wake", AWSRegion: "us-east-1",
	}}})
	if err != nil {
		s.problems.add("encoding a wake-up: %v", err)
		return false
	}
	answer, err := s.functions.drainer.Invoke(ctx, event)
	if err != nil {
		return false
	}
	var response events.SQSEventResponse
	return json.Unmarshal(answer, &response) == nil && len(response.BatchItemFailures) == 0
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
