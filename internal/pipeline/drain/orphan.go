package drain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// orphanAge is the age that the oldest record of an unknown stream's queue must
// have before its records become dead letters. It is longer than an invocation, so
// that a drainer from before a deploy does not take a new stream for an orphan.
const orphanAge = time.Minute

// notInStreams is the reason of a dead letter whose stream was removed.
const notInStreams = "the stream is not in streams.json"

// orphans makes dead letters of the records of streams that streams.json does not
// name.
func (h *Handler) orphans(ctx context.Context, found map[string][]string) error {
	drainer := newDrainerID()
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if _, known := h.config.Streams.Lookup(name); known {
			continue
		}
		err := h.orphan(ctx, name, drainer)
		if err != nil && !errors.Is(err, queue.ErrNoReplicas) {
			problems = append(problems, fmt.Errorf("moving the queue of unknown stream %q to the archive: %w", name, err))
		}
	}
	return errors.Join(problems...)
}

func (h *Handler) orphan(ctx context.Context, name, drainer string) error {
	state, err := h.config.Queue.Inspect(ctx, name)
	if err != nil {
		return err
	}
	if h.config.Now().Sub(state.OldestReceivedAt) < orphanAge {
		return nil
	}
	r := newRun(h, name, drainer)
	defer func() {
		r.summary.Err = nil // It is returned.
		h.report(ctx, r.summary)
	}()
	if r.summary.Reclaimed, err = h.config.Queue.Reclaim(ctx, name); err != nil {
		return err
	}
	for more := true; more && err == nil && ctx.Err() == nil; {
		more, err = r.deadLetterClaim(ctx)
	}
	return err
}

// deadLetterClaim makes a claim and dead letters of all its records. It reports
// whether the claim had records.
func (r *run) deadLetterClaim(ctx context.Context) (more bool, err error) {
	lease, cancel := r.lease(ctx)
	defer cancel()
	c, err := r.claim(lease)
	if err != nil || len(c.Envelopes) == 0 {
		return false, err
	}
	d := r.decode(c)
	for i := range d.records {
		invalid := sink.Invalid{Index: i, Reason: notInStreams}
		d.result.Invalid = append(d.result.Invalid, invalid)
		d.refuse(invalid, r.config.Now())
	}
	return true, cmp.Or(r.settle(lease, d).err, d.archiveErr)
}
