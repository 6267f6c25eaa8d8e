package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unsafe"
)

// Claim is a batch of envelopes that one drainer has leased.
type Claim struct {
	// Stream is the name of the stream, ID the id that the caller gave the claim.
	Stream, ID string
	// Envelopes are in the order of the queue, and must not be changed. They are
	// empty when the queue was empty.
	Envelopes [][]byte
	// Depth is the number of envelopes left in the queue.
	Depth int64
}

// Claim leases envelopes from the head of a stream's queue: at most maxRecords and
// maxBytes, but always one if there is one. The lease runs by the server's clock
// from the time of the call. The id must be new and have the form
// <drainer>.<number>. A repeated call with the same id returns the same claim.
//
// After an error the claim may nevertheless exist. It returns to the queue when its
// lease expires.
func (q *Queue) Claim(ctx context.Context, stream, id string, lease time.Duration, maxRecords, maxBytes int) (Claim, error) {
	k := q.keys(stream)
	claim, err := parseClaim(claimScript.runTwice(ctx, q.client, []string{k.queue, k.claims, k.claim + id, k.stats},
		id, lease.Milliseconds(), maxRecords, maxBytes))
	if err != nil {
		return Claim{}, fmt.Errorf("claiming from %s: %w", k.queue, err)
	}
	claim.Stream, claim.ID = stream, id
	return claim, nil
}

func parseClaim(a answer) (Claim, error) {
	pair, err := a.list()
	if err != nil {
		return Claim{}, err
	}
	if len(pair) != 2 {
		return Claim{}, fmt.Errorf("answer of %d elements, want 2", len(pair))
	}
	depth, depthErr := pair[0].number()
	envelopes, envelopesErr := pair[1].texts()
	if err := errors.Join(depthErr, envelopesErr); err != nil {
		return Claim{}, err
	}
	claim := Claim{Depth: depth, Envelopes: make([][]byte, len(envelopes))}
	for i, e := range envelopes {
		claim.Envelopes[i] = bytesOf(e)
	}
	return claim, nil
}

// bytesOf returns []byte(s) without a copy. A claim holds up to 1 MiB of envelopes,
// several claims are in flight, and nothing writes to them.
func bytesOf(s string) []byte {
	return unsafe.Slice(unsafe.StringData(s), len(s)) // #nosec G103 -- As above.
}

// Ack deletes a claim. It counts the envelopes at the positions of deadLetters as
// dead letters, and all others as forwarded. It reports false, and changes nothing,
// when the claim does not exist: another drainer may have had its records too.
func (q *Queue) Ack(ctx context.Context, c Claim, deadLetters []int) (held bool, err error) {
	k := q.keys(c.Stream)
	all, deadBytes := size(c.Envelopes), 0
	for _, i := range deadLetters {
		deadBytes += len(c.Envelopes[i])
	}
	n, err := ackScript.runTwice(ctx, q.client, []string{k.claims, k.claim + c.ID, k.stats},
		c.ID, len(c.Envelopes)-len(deadLetters), all-deadBytes, len(deadLetters), deadBytes).number()
	if err != nil {
		return false, fmt.Errorf("acknowledging claim %s of %s: %w", c.ID, k.queue, err)
	}
	return n == 1, nil
}

// Release returns the envelopes at the positions of left to the head of the queue
// and those of later to its tail, in their order. It counts those of deadLetters as
// dead letters and all others as forwarded, and deletes the claim. It reports
// false, and changes nothing, when the claim does not exist.
func (q *Queue) Release(ctx context.Context, c Claim, left, later, deadLetters []int) (held bool, err error) {
	k := q.keys(c.Stream)
	args := make([]any, 0, 3+len(left)+len(later)+len(deadLetters))
	args = append(args, c.ID, len(left), len(later))
	for _, positions := range [][]int{left, later, deadLetters} {
		for _, i := range slices.Sorted(slices.Values(positions)) {
			args = append(args, i)
		}
	}
	n, err := releaseScript.runTwice(ctx, q.client, []string{k.queue, k.claims, k.claim + c.ID, k.stats}, args...).number()
	if err != nil {
		return false, fmt.Errorf("releasing claim %s of %s: %w", c.ID, k.queue, err)
	}
	return n == 1, nil
}

func size(envelopes [][]byte) int {
	bytes := 0
	for _, e := range envelopes {
		bytes += len(e)
	}
	return bytes
}
