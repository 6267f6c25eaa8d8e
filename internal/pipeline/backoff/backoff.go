// Package backoff spaces out the attempts of a call.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Jitter returns a random pause before the next attempt (full jitter): more than 0,
// and at most base doubled failures times, or limit if that is less.
func Jitter(failures int, base, limit time.Duration) time.Duration {
	longest := base
	for range failures {
		if longest > limit/2 {
			longest = limit
			break
		}
		longest *= 2
	}
	return rand.N(min(longest, limit)) + 1 // #nosec G404 -- not a secret
}

// Sleep waits for d, or until ctx ends. It reports whether ctx has not ended.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
