package queue

import (
	"context"
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
// After an error the claim may exist all the same; it returns to the queue when its
// lease expires.
func (q *Queue) Claim(ctx context.Context, stream, id string, lease time.Duration, maxRecords, maxBytes int) (Claim, error) {
	k := q.keys(stream)
	answer, err := claimScript.runTwice(ctx, q.client, []string{k.queue, k.claims, k.claim + id, k.stats},
		id, lease.Milliseconds(), maxRecords, maxBytes)
	if err != nil {
		return Claim{}, fmt.Errorf("claiming from %s: %w", k.queue, err)
	}
	claim, err := parseClaim(answer)
	if err != nil {
		return Claim{}, fmt.Errorf("claiming from %s: %w", k.queue, err)
	}
	claim.Stream, claim.ID = stream, id
	return claim, nil
}

func parseClaim(answer any) (Claim, error) {
	pair, err := list(answer, 2)
	if err != nil {
		return Claim{}, err
	}
	depth, err := number(pair[0])
	if err != nil {
		return Claim{}, err
	}
	elements, err := list(pair[1], -1)
	if err != nil {
		return Claim{}, err
	}
	claim := Claim{Depth: depth, Envelopes: make([][]byte, len(elements))}
	for i, e := range elements {
		text, ok := e.(string)
		if !ok {
			return Claim{}, fmt.Errorf("envelope of type %T, want a string", e)
		}
		claim.Envelopes[i] = bytesOf(text)
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
	answer, err := ackScript.runTwice(ctx, q.client, []string{k.claims, k.claim + c.ID, k.stats},
		c.ID, len(c.Envelopes)-len(deadLetters), all-deadBytes, len(deadLetters), deadBytes)
	return parseHeld(answer, err, "acknowledging claim "+c.ID+" of "+k.queue)
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
	answer, err := releaseScript.runTwice(ctx, q.client, []string{k.queue, k.claims, k.claim + c.ID, k.stats}, args...)
	return parseHeld(answer, err, "releasing claim "+c.ID+" of "+k.queue)
}

func parseHeld(answer any, err error, doing string) (bool, error) {
	if err != nil {
		return false, fmt.Errorf("%s: %w", doing, err)
	}
	held, err := number(answer)
	if err != nil {
		return false, fmt.Errorf("%s: %w", doing, err)
	}
	return held == 1, nil
}

func size(envelopes [][]byte) int {
	bytes := 0
	for _, e := range envelopes {
		bytes += len(e)
	}
	return bytes
}
