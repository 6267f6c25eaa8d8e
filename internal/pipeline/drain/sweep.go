package drain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
)

// sweep drains all streams, moves the queues of unknown streams to the archive, and
// checks Redis. An error of one stream does not stop the others. The orphans come
// first: see orphans.
func (h *Handler) sweep(ctx context.Context) error {
	if err := h.checkPermissions(ctx); err != nil {
		return err
	}
	policy := h.checkEvictionPolicy(ctx)
	found, err := h.config.Queue.Scan(ctx)
	problems := []error{err, h.recover(ctx, found)}
	var observing sync.WaitGroup
	defer observing.Wait()
	observing.Go(func() { h.observe(ctx, policy) })
	problems = append(problems, h.orphans(ctx, found))
	failed := h.drain(ctx, h.config.Streams.Names())
	if len(failed) > 0 {
		names := slices.Sorted(maps.Keys(failed))
		problems = append(problems, fmt.Errorf("draining %s: %w", strings.Join(names, ", "), failed[names[0]]))
	}
	return errors.Join(problems...)
}

// recover returns the claims that no lease names to their queues. found has the ids
// of the claims of each stream.
func (h *Handler) recover(ctx context.Context, found map[string][]string) error {
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(found)) {
		records, err := h.config.Queue.Recover(ctx, name, found[name])
		if records > 0 {
			h.config.Log.WarnContext(ctx, logReclaimed, "stream", name, "count", records)
		}
		if err != nil && !errors.Is(err, queue.ErrNoReplicas) {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// checkEvictionPolicy logs an error when Redis may drop records, and returns the
// policy of Redis. It reads INFO, because ElastiCache refuses CONFIG.
func (h *Handler) checkEvictionPolicy(ctx context.Context) string {
	policy, err := h.config.Queue.EvictionPolicy(ctx)
	switch {
	case err != nil:
		h.config.Log.WarnContext(ctx, logPolicyUnknown, "error", err)
	case dropsRecords(policy):
		h.config.Log.ErrorContext(ctx, logPolicyDrops, "policy", policy, "want", "noeviction")
	}
	return policy
}

// dropsRecords reports whether Redis may drop records under an eviction policy.
func dropsRecords(policy string) bool { return strings.HasPrefix(policy, "allkeys-") }

// observe reconciles the counters of all queues and calls the observer with their
// state. It runs beside the draining. A stream with a key of a wrong type is left
// out. When Redis does not answer, all streams are left out: a sum over some queues
// would look as if the others were empty.
func (h *Handler) observe(ctx context.Context, policy string) {
	h.observing.Lock()
	defer h.observing.Unlock()
	s := Sweep{Policy: policy, Queues: make(map[string]queue.State), Lost: make(map[string]queue.Lost), Reset: make(map[string]int64)}
	for _, name := range h.config.Streams.Names() {
		lost, state, err := h.reconcile(ctx, name)
		if lost != (queue.Lost{}) {
			s.Lost[name] = lost
			level := slog.LevelError
			if lost.Records <= 0 && lost.Bytes <= 0 {
				level = slog.LevelWarn // More was forwarded than accepted: records were repeated, not lost.
			}
			h.config.Log.Log(ctx, level, logLost, "stream", name, "count", lost.Records, "bytes", lost.Bytes)
		}
		if err == nil {
			s.Queues[name] = state
			if backlog := h.reset(ctx, name, state); backlog > 0 {
				s.Reset[name] = backlog
			}
			continue
		}
		h.config.Log.WarnContext(ctx, logUninspected, "stream", name, "error", err)
		if !errors.Is(err, queue.ErrWrongType) {
			s.Queues = nil
			break
		}
	}
	h.config.ObserveSweep(s)
}

// reconcile reconciles the counters of a queue and reads its state after that.
func (h *Handler) reconcile(ctx context.Context, name string) (queue.Lost, queue.State, error) {
	lost, err := h.config.Queue.Reconcile(ctx, name)
	if err != nil && !errors.Is(err, queue.ErrNoReplicas) {
		return queue.Lost{}, queue.State{}, err
	}
	state, err := h.config.Queue.Inspect(ctx, name)
	return lost, state, err
}
