package drain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
)

// orphanAge is the age that the oldest record of an unknown stream's queue must
// have before its records become dead letters. It is longer than an invocation, so
// that a drainer from before a deploy does not take a new stream for an orphan.
const orphanAge = time.Minute

// notInStreams is the reason of a dead letter whose stream was removed.
const notInStreams = "the stream is not in streams.json"

// orphans makes dead letters of the records of streams that streams.json does not name.
func (h *Handler) orphans(ctx context.Context, found map[string][]string) error {
	work, cancel := h.untilMargin(ctx)
	defer cancel()
	drainer := newDrainerID()
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if _, known := h.o.Streams.Lookup(name); known {
			continue
		}
		err := h.orphan(ctx, work, name, drainer)
		if err != nil && !errors.Is(err, queue.ErrNoReplicas) {
			problems = append(problems, fmt.Errorf("moving the queue of unknown stream %q to the archive: %w", name, err))
		}
	}
	return errors.Join(problems...)
}

func (h *Handler) orphan(ctx, work context.Context, name, drainer string) error {
	state, err := h.o.Queue.Inspect(work, name)
	if err != nil {
		return err
	}
	if h.o.Now().Sub(state.OldestReceivedAt) < orphanAge {
		return nil
	}
	r := newRun(h, name, drainer)
	defer func() { h.report(ctx, r.summary) }()
	if r.summary.Reclaimed, err = h.o.Queue.Reclaim(work, name); err != nil {
		return err
	}
	for n := 1; work.Err() == nil; n++ {
		c, err := h.o.Queue.Claim(work, name, fmt.Sprintf("%s.%d", drainer, n), h.o.Lease, h.o.ClaimRecords, h.o.ClaimBytes)
		if err != nil {
			return err
		}
		if len(c.Envelopes) == 0 {
			break
		}
		if err := r.deadLetterAll(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// deadLetterAll makes dead letters of a whole claim and acknowledges it. It
// releases the claim when the archive fails.
func (r *run) deadLetterAll(ctx context.Context, c queue.Claim) error {
	now := r.h.o.Now()
	records, positions, dead := decode(c, now)
	for i, record := range records {
		dead = append(dead, deadLetter{positions[i], deadLetterOf(record, notInStreams, now)})
	}
	done, archiveErr := r.putDeadLetters(ctx, c, dead)
	var left []int
	if archiveErr != nil {
		for i := range c.Envelopes {
			left = append(left, i)
		}
	}
	if _, err := r.settle(ctx, c, left, nil, done); err != nil {
		return err
	}
	r.summary.Claimed += len(c.Envelopes)
	r.summary.DeadLettered += len(done)
	r.summary.Left += len(left)
	return archiveErr
}

var _ Archive = (*archive.Archive)(nil)
