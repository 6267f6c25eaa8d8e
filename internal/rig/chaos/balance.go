package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
)

// balanceTimeout bounds the wait until sweeps have reconciled the counters of the
// empty queues.
const balanceTimeout = time.Minute

// checkBalance waits until the counters of the empty queues balance. Only a script
// that stopped midway, as when the ACL refuses one of its commands, may have lost
// count of records.
func (s *suite) checkBalance(ctx context.Context) error {
	for _, name := range streams.Names() {
		var state queue.State
		var err error
		balanced := within(ctx, balanceTimeout, func() bool {
			state, err = s.redis.queue.Inspect(ctx, name)
			return err == nil && isBalanced(state)
		})
		switch {
		case err != nil:
			return fmt.Errorf("inspecting the queue: %w", err)
		case !balanced:
			s.problems.add("the counters of the empty queue of %s do not balance: %+v", name, state)
		case state.LostBytes != 0 && !s.refusedCommands.Load():
			s.problems.add("the queue of %s lost count of %d bytes", name, state.LostBytes)
		}
	}
	return nil
}

// isBalanced reports whether every record that an empty queue counts as accepted is
// counted once more. While it is settling, the number of accepted records is not exact.
func isBalanced(s queue.State) bool {
	records := s.Accepted == s.Forwarded+s.DeadLettered+s.Lost
	bytes := s.AcceptedBytes == s.ForwardedBytes+s.DeadLetteredBytes+s.LostBytes
	return s.Exact && (records || s.Settling) && bytes
}
