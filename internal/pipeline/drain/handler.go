package drain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/data-sink/data-sink/internal/pipeline/deadline"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/wake"
	"github.com/google/uuid"
)

// SweepEvent and InspectEvent are the inputs of the schedule and of the operator's
// command.
const (
	SweepEvent   = `{"sweep":true}`
	InspectEvent = `{"inspect":true}`
)

// margin is the time before its deadline at which an invocation stops claiming, so
// that it can settle its claims and wake a successor.
const margin = 5 * time.Second

// Invoke handles a batch of wake-ups from SQS, a SweepEvent or an InspectEvent. It
// answers a wake-up that failed as a batch item failure.
func (h *Handler) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	var e struct {
		Sweep   bool                `json:"sweep"`
		Inspect bool                `json:"inspect"`
		Records []events.SQSMessage `json:"Records"`
	}
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, fmt.Errorf("reading the event: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, deadline.Left(ctx, margin))
	defer cancel()
	var answer any
	var err error
	switch {
	case e.Inspect:
		answer, err = h.inspect(ctx)
	case e.Records != nil:
		answer = h.wakeUps(ctx, e.Records)
	case e.Sweep:
		answer, err = struct{}{}, h.sweep(ctx)
	default:
		err = errors.New("reading the event: not a batch of wake-ups, a sweep or an inspection")
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(answer)
}

// wakeUps drains the streams that the wake-ups name.
func (h *Handler) wakeUps(ctx context.Context, wakeUps []events.SQSMessage) events.SQSEventResponse {
	streams := make(map[string][]string) // the ids of each stream's wake-ups
	response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	fail := func(ids ...string) {
		for _, id := range ids {
			response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: id})
		}
	}
	for _, w := range wakeUps {
		name, err := wake.Parse(w.Body)
		if err != nil {
			h.config.Log.ErrorContext(ctx, logWakeMalformed, "id", w.MessageId, "error", err)
			fail(w.MessageId)
			continue
		}
		// The sweep handles streams that streams.json does not name.
		if _, known := h.config.Streams.Lookup(name); known {
			streams[name] = append(streams[name], w.MessageId)
		}
	}
	if h.checkPermissions(ctx) != nil {
		for _, ids := range streams {
			fail(ids...)
		}
		return response
	}
	for name := range h.drain(ctx, slices.Collect(maps.Keys(streams))) {
		fail(streams[name]...)
	}
	return response
}

// drain empties the queues of the named streams side by side. It returns the errors
// of Redis by stream. An error of Kinesis is not among them: the records wait, and
// the next sweep tries again. Missing replicas of Redis are not among them either:
// Redis accepts no claims until the replicas are back, and the backlog waits.
func (h *Handler) drain(ctx context.Context, names []string) map[string]error {
	drainer := newDrainerID()
	var mu sync.Mutex
	var wg sync.WaitGroup
	failed := make(map[string]error)
	waiting := 0
	for _, name := range names {
		wg.Go(func() {
			r := newRun(h, name, drainer)
			err := r.drain(ctx)
			h.report(ctx, r.summary)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, queue.ErrNoReplicas):
				waiting++
			case err != nil:
				failed[name] = err
			}
		})
	}
	wg.Wait()
	if waiting > 0 {
		h.config.Log.WarnContext(ctx, logNoReplicas, "streams", waiting)
	}
	return failed
}

// checkPermissions checks, until it succeeds once, whether the Redis user may run
// the commands of the drainer. Without some of them a script would stop midway.
func (h *Handler) checkPermissions(ctx context.Context) error {
	if h.checked.Load() {
		return nil
	}
	err := h.config.Queue.CheckDrain(ctx)
	if errors.Is(err, queue.ErrPermission) {
		h.config.Log.ErrorContext(ctx, logPermissions, "error", err)
		return err
	}
	// If Redis did not answer, the next call says so, and the next invocation
	// checks again.
	h.checked.Store(err == nil)
	return nil
}

// newDrainerID names this invocation in its claims. It is a UUIDv7, so that the
// oldest of several drainers sorts first.
func newDrainerID() string {
	id, err := uuid.NewV7()
	if err != nil {
		panic(fmt.Sprintf("no randomness: %v", err)) // crypto/rand does not fail.
	}
	return id.String()
}
