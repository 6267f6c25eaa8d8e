package drain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/wake"
	"github.com/google/uuid"
)

// SweepEvent and InspectEvent are the inputs of the schedule and of the
// operator's command.
const (
	SweepEvent   = `{"sweep":true}`
	InspectEvent = `{"inspect":true}`
)

// Names of the log lines. Alarms may filter on them.
const (
	logWakeMalformed  = "wake_malformed"
	logWakeFailed     = "wake_failed"
	logScaleOutFailed = "scale_out_failed"
	logDrainFailed    = "drain_failed"
	logAside          = "records_put_aside"
	logClaimsLost     = "claims_lost"
	logReclaimed      = "records_reclaimed"
	logThrottled      = "throttled"
	logPolicyUnknown  = "eviction_policy_unknown"
	logPolicyDrops    = "eviction_policy_drops_records"
	logUninspected    = "queues_not_inspected"
)

// Inspection answers an InspectEvent.
type Inspection struct {
	// Streams has the streams of streams.json, Orphans all others that have a
	// queue or claims.
	Streams map[string]queue.State `json:"streams"`
	Orphans map[string]queue.State `json:"orphans,omitempty"`
}

// margin is how long before its deadline an invocation stops to claim, so that
// it can return what it holds; a tenth of the time for short invocations.
const margin = 5 * time.Second

// Invoke takes a batch of wake-ups from SQS, a SweepEvent or an InspectEvent. A
// wake-up that could not be served is answered as a batch item failure.
func (h *Handler) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	var e struct {
		Sweep   bool                `json:"sweep"`
		Inspect bool                `json:"inspect"`
		Records []events.SQSMessage `json:"Records"`
	}
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, fmt.Errorf("reading the event: %w", err)
	}
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
		err = errors.New("reading the event: it is no batch of wake-ups, no sweep and no inspection")
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(answer)
}

// wakeUps drains the streams that the wake-ups name.
func (h *Handler) wakeUps(ctx context.Context, wakeUps []events.SQSMessage) events.SQSEventResponse {
	streams := make(map[string][]string) // ids of the wake-ups of each stream
	response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	fail := func(ids ...string) {
		for _, id := range ids {
			response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: id})
		}
	}
	for _, w := range wakeUps {
		name, err := wake.Parse(w.Body)
		if err != nil {
			h.o.Log.ErrorContext(ctx, logWakeMalformed, "id", w.MessageId, "error", err)
			fail(w.MessageId)
			continue
		}
		// One that streams.json does not know is an orphan, for the sweep.
		if _, known := h.o.Streams.Lookup(name); known {
			streams[name] = append(streams[name], w.MessageId)
		}
	}
	for name := range h.drain(ctx, slices.Collect(maps.Keys(streams))) {
		fail(streams[name]...)
	}
	return response
}

// sweep drains all streams, puts the queues of unknown ones aside, and looks
// after Redis. Orphans come first: see orphans.
func (h *Handler) sweep(ctx context.Context) error {
	policy := h.checkEvictionPolicy(ctx)
	var looking sync.WaitGroup
	defer looking.Wait()
	looking.Go(func() { h.look(ctx, policy) })
	orphansErr := h.orphans(ctx)
	failed := h.drain(ctx, h.o.Streams.Names())
	if len(failed) > 0 {
		names := slices.Sorted(maps.Keys(failed))
		return errors.Join(orphansErr, fmt.Errorf("draining %s: %w", strings.Join(names, ", "), failed[names[0]]))
	}
	return orphansErr
}

// drain empties the queues of the named streams side by side, and returns the
// errors of those that Redis kept it from. What keeps a stream's records from
// Kinesis is no such error: the records wait, and the next sweep tries again.
func (h *Handler) drain(ctx context.Context, names []string) map[string]error {
	work, cancel := h.untilMargin(ctx)
	defer cancel()
	drainer := newDrainerID()
	var mu sync.Mutex
	var wg sync.WaitGroup
	failed := make(map[string]error)
	for _, name := range names {
		wg.Go(func() {
			l := newLane(h, name, drainer)
			err := l.run(ctx, work)
			h.report(ctx, l.summary)
			if err != nil {
				mu.Lock()
				failed[name] = err
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return failed
}

// untilMargin returns a context that ends while there is time to return claims.
func (h *Handler) untilMargin(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(margin, time.Until(deadline)/10)))
}

// report logs what went wrong for a stream, once, and tells the observer.
func (h *Handler) report(ctx context.Context, s Summary) {
	if s.Err != nil {
		h.o.Log.ErrorContext(ctx, logDrainFailed, "stream", s.Stream, "left", s.Left, "error", s.Err)
	}
	if s.Aside > 0 {
		h.o.Log.ErrorContext(ctx, logAside, "stream", s.Stream, "count", s.Aside)
	}
	if s.LostClaims > 0 {
		h.o.Log.WarnContext(ctx, logClaimsLost, "stream", s.Stream, "count", s.LostClaims)
	}
	if s.Reclaimed > 0 {
		h.o.Log.WarnContext(ctx, logReclaimed, "stream", s.Stream, "count", s.Reclaimed)
	}
	if s.Throttled > 0 {
		h.o.Log.WarnContext(ctx, logThrottled, "stream", s.Stream, "count", s.Throttled)
	}
	h.o.Observe(ctx, s)
}

// checkEvictionPolicy alarms when Redis may drop records, and returns its policy.
// ElastiCache refuses CONFIG, so that nothing but INFO tells.
func (h *Handler) checkEvictionPolicy(ctx context.Context) string {
	policy, err := h.o.Queue.EvictionPolicy(ctx)
	switch {
	case err != nil:
		h.o.Log.WarnContext(ctx, logPolicyUnknown, "error", err)
	case dropsRecords(policy):
		h.o.Log.ErrorContext(ctx, logPolicyDrops, "policy", policy, "want", "noeviction")
	}
	return policy
}

// dropsRecords reports whether Redis may drop records under an eviction policy.
func dropsRecords(policy string) bool { return strings.HasPrefix(policy, "allkeys-") }

// look tells the observer how things stand. It runs beside the draining, which
// it must not hold up.
func (h *Handler) look(ctx context.Context, policy string) {
	if h.o.ObserveSweep == nil {
		return
	}
	work, cancel := h.untilMargin(ctx)
	defer cancel()
	names := h.o.Streams.Names()
	queues := make(map[string]queue.State, len(names))
	for _, name := range names {
		state, err := h.o.Queue.Inspect(work, name)
		if err != nil {
			h.o.Log.WarnContext(ctx, logUninspected, "stream", name, "error", err)
			queues = nil
			break
		}
		queues[name] = state
	}
	h.o.ObserveSweep(ctx, Sweep{Queues: queues, Policy: policy})
}

// inspect reads the state of every queue.
func (h *Handler) inspect(ctx context.Context) (Inspection, error) {
	found, err := h.o.Queue.Streams(ctx)
	if err != nil {
		return Inspection{}, err
	}
	answer := Inspection{Streams: make(map[string]queue.State), Orphans: make(map[string]queue.State)}
	for _, name := range append(found, h.o.Streams.Names()...) {
		state, err := h.o.Queue.Inspect(ctx, name)
		if err != nil {
			return Inspection{}, err
		}
		if _, known := h.o.Streams.Lookup(name); known {
			answer.Streams[name] = state
		} else {
			answer.Orphans[name] = state
		}
	}
	return answer, nil
}

// newDrainerID names this invocation in its claims. A UUIDv7, so that of several
// drainers the one that came first sorts first.
func newDrainerID() string {
	id, err := uuid.NewV7()
	if err != nil {
		panic(fmt.Sprintf("no randomness: %v", err)) // crypto/rand does not fail
	}
	return id.String()
}
