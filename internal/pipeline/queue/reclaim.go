package queue

import (
	"context"
	"fmt"
	"slices"
)

// Reclaim returns every claim of a stream whose lease has expired to the head of
// the queue. It returns the number of envelopes in them.
func (q *Queue) Reclaim(ctx context.Context, stream string) (records int, err error) {
	k := q.keys(stream)
	ids, err := expiredScript.runTwice(ctx, q.client, []string{k.claims}).texts()
	if err != nil {
		return 0, fmt.Errorf("listing expired claims of %s: %w", k.queue, err)
	}
	for _, id := range ids {
		n, err := q.giveBack(ctx, reclaimScript, []string{k.queue, k.claims, k.claim + id, k.stats}, id)
		records += n
		if err != nil {
			return records, fmt.Errorf("reclaiming %s of %s: %w", id, k.queue, err)
		}
	}
	return records, nil
}

// Recover returns the claims with these ids that no lease names to the head of the
// queue. It returns the number of envelopes in them. Scan finds the ids. A claim
// without a lease remains when Redis stops a script midway, for example because the
// user may not run one of its commands. Some of its records may have been
// forwarded: they arrive twice.
func (q *Queue) Recover(ctx context.Context, stream string, ids []string) (records int, err error) {
	if len(ids) == 0 {
		return 0, nil
	}
	k := q.keys(stream)
	leased, err := q.client.ZRange(ctx, k.claims, 0, -1).Result()
	if err != nil {
		return 0, fmt.Errorf("listing the leases of %s: %w", k.queue, classify(err))
	}
	for _, id := range ids {
		if slices.Contains(leased, id) {
			continue
		}
		n, err := q.giveBack(ctx, recoverScript, []string{k.queue, k.claims, k.claim + id, k.claim}, id)
		records += n
		if err != nil {
			return records, fmt.Errorf("recovering claim %s of %s: %w", id, k.queue, err)
		}
	}
	return records, nil
}

// giveBack runs a script that returns a claim to its queue, and returns the number
// of envelopes.
func (q *Queue) giveBack(ctx context.Context, s script, keys []string, id string) (records int, err error) {
	n, err := s.runTwice(ctx, q.client, keys, id).number()
	return int(n), err
}
