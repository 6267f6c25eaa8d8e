package drain

import (
	"context"
	"fmt"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
)

// orphanAge is how long the oldest record of an unknown stream's queue must have
// waited before it is put aside: longer than an invocation lasts, so that a
// drainer from before a deploy never takes a new stream for an orphan.
const orphanAge = time.Minute

// notInStreams is the reason of a record whose stream is gone.
const notInStreams = "the stream is not in streams.json"

// orphans moves the queues of streams that streams.json does not name to the
// archive's failed folder.
func (h *Handler) orphans(ctx context.Context) error {
	work, cancel := h.untilMargin(ctx)
	defer cancel()
	names, err := h.o.Queue.Streams(work)
	if err != nil {
		return err
	}
	drainer := newDrainerID()
	for _, name := range names {
		if _, known := h.o.Streams.Lookup(name); known {
			continue
		}
		if err := h.orphan(ctx, work, name, drainer); err != nil {
			return fmt.Errorf("putting the queue of unknown stream %q aside: %w", name, err)
		}
	}
	return nil
}

func (h *Handler) orphan(ctx, work context.Context, name, drainer string) error {
	state, err := h.o.Queue.Inspect(work, name)
	if err != nil {
		return err
	}
	if h.o.Now().Sub(state.OldestReceivedAt) < orphanAge {
		return nil
	}
	l := newLane(h, name, drainer)
	if l.summary.Reclaimed, err = h.o.Queue.Reclaim(work, name); err != nil {
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
		if err := l.putAllAside(ctx, c); err != nil {
			return err
		}
	}
	h.report(ctx, l.summary)
	return nil
}

// putAllAside puts a whole claim aside and acknowledges it, or releases it.
func (l *lane) putAllAside(ctx context.Context, c queue.Claim) error {
	now := l.h.o.Now()
	records, positions, aside := decode(c, now)
	for i, r := range records {
		aside = append(aside, asideRecord{positions[i], asideOf(r, notInStreams, now)})
	}
	done, asideErr := l.putAside(ctx, c, aside)
	var left []int
	if asideErr != nil {
		for i := range c.Envelopes {
			left = append(left, i)
		}
	}
	if _, err := l.settle(ctx, c, left, done); err != nil {
		return err
	}
	l.summary.Claimed += len(c.Envelopes)
	l.summary.Aside += len(done)
	l.summary.Left += len(left)
	return asideErr
}

var _ Archive = (*archive.Archive)(nil)
