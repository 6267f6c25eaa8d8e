// Package deadline divides the time of an invocation.
package deadline

import (
	"context"
	"math"
	"time"
)

// Left returns the time until the deadline of ctx less margin, which is the time
// that the caller needs after that. If less than twice the margin is left, Left
// returns half of the time that is left. Without a deadline it returns the longest
// Duration.
func Left(ctx context.Context, margin time.Duration) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return math.MaxInt64
	}
	left := time.Until(deadline)
	return left - min(margin, left/2)
}
