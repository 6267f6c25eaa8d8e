package queue

import (
	"context"
	"fmt"
)

// Lost is a number of records, and of bytes of their envelopes, that were accepted
// and that are neither in the lists nor counted as forwarded or dead letters. It is
// negative when more was forwarded than accepted: a failover can bring back records
// that were forwarded already.
type Lost struct{ Records, Bytes int64 }

// Reconcile compares the counters of a stream's queue with its lists. When the
// queue and its claims are empty, it counts what is missing as lost, so that the
// limit of the backlog holds again, and returns it. Otherwise it returns the zero
// value.
//
// In the first Options.CountersSettle after the first call for a stream, Reconcile
// raises a counter of accepted records that is too low: older functions, which do
// not count them, may still push.
func (q *Queue) Reconcile(ctx context.Context, stream string) (Lost, error) {
	k := q.keys(stream)
	for range claimTries {
		ids, err := q.client.ZRange(ctx, k.claims, 0, -1).Result()
		if err != nil {
			return Lost{}, fmt.Errorf("reconciling %s: %w", k.queue, classify(err))
		}
		keys := []string{k.queue, k.claims, k.stats}
		args := []any{q.options.CountersSettle.Milliseconds()}
		for _, id := range ids {
			keys, args = append(keys, k.claim+id), append(args, id)
		}
		n, err := reconcileScript.runTwice(ctx, q.client, keys, args...).numbers()
		if err != nil {
			return Lost{}, fmt.Errorf("reconciling %s: %w", k.queue, err)
		}
		if len(n) == 2 {
			return Lost{Records: n[0], Bytes: n[1]}, nil
		}
	}
	return Lost{}, nil // Claims come and go too fast. The next sweep tries again.
}
