package queue

import (
	"context"
	"errors"
	"fmt"
)

const (
	// MaxPartEnvelopes and MaxPartBytes are the recommended limits of a Part: as
	// much as a drainer's claim moves in one script, so that others do not wait
	// longer for a part than for a claim.
	MaxPartEnvelopes = 500
	MaxPartBytes     = 1 << 20

	// RememberedKeys is the number of idempotency keys of a stream after which
	// older keys may be forgotten. Redis holds at most twice as many, at about 91
	// bytes each.
	RememberedKeys = 100_000
)

// ErrKeyReused means that an idempotency key was used before, for another request.
var ErrKeyReused = errors.New("the idempotency key belongs to another request")

// IdempotencyKey identifies a request that a client may repeat.
type IdempotencyKey struct {
	// Digest identifies the client, the stream and the client's key.
	Digest [16]byte
	// Fingerprint identifies the content of the request.
	Fingerprint [8]byte
}

// Part is a run of consecutive envelopes of one request. PushPart pushes all of
// them or none.
type Part struct {
	// Envelopes is not empty. The caller cuts a request by MaxPartEnvelopes and
	// MaxPartBytes.
	Envelopes [][]byte
	// First is the position of the first envelope among all envelopes of the
	// request, from 0.
	First int
	// RequestBytes is the size of all envelopes of the request. A caller that sets
	// it for the first part, and pushes the other parts without a limit, has the
	// backlog compared with its limit once a request. 0 is the size of this part.
	RequestBytes int64
	// Key is remembered with the number of envelopes that are pushed; nil remembers
	// nothing.
	Key *IdempotencyKey
}

// PartPushed is the result of a PushPart.
type PartPushed struct {
	Pushed
	// Done is the number of envelopes of the request, counted from its first, that
	// are pushed by now, by this call or by an earlier one with the same key. A
	// caller may skip the parts that end at Done or before.
	Done int
	// Replayed reports whether earlier calls with the same key had pushed the whole
	// part. This call then pushed nothing.
	Replayed bool
}

// PushPart appends the envelopes of a part to a stream's queue and remembers the
// request's idempotency key, in one step. What Push says of errors, limits and
// time-outs holds here too. A part that was pushed before under the same key is not
// pushed again. A part of which the first envelopes were pushed is continued after
// them. PushPart returns ErrKeyReused, and changes nothing, when the key was used
// with another fingerprint.
//
// A key is remembered for at least Options.RememberFor, or until RememberedKeys
// newer keys of its stream have come. A part with Part.First above 0 is pushed and
// its key is not remembered when Redis does not know that all envelopes before it
// were pushed: a retry of the request then pushes them all.
func (q *Queue) PushPart(ctx context.Context, stream string, p Part, maxBacklogBytes int64) (PartPushed, error) {
	k := q.keys(stream)
	keys := []string{k.queue, k.stats, k.wake}
	digest, fingerprint := []byte{}, []byte{}
	if p.Key != nil {
		keys = append(keys, k.once, k.onceOld)
		digest, fingerprint = p.Key.Digest[:], p.Key.Fingerprint[:]
	}
	args := make([]any, 0, 8+len(p.Envelopes))
	args = append(args, q.options.WakeInterval.Milliseconds(), maxBacklogBytes, p.RequestBytes, p.First,
		digest, fingerprint, q.options.RememberFor.Milliseconds(), RememberedKeys)
	for _, e := range p.Envelopes {
		args = append(args, e)
	}
	pushed, err := parsePartPushed(q.push(ctx, pushPartScript, keys, args...))
	if err != nil {
		return PartPushed{}, fmt.Errorf("pushing %d envelopes to %s: %w", len(p.Envelopes), k.queue, err)
	}
	return pushed, nil
}

func parsePartPushed(a answer) (PartPushed, error) {
	n, err := a.numbers()
	if err != nil {
		return PartPushed{}, err
	}
	if len(n) != 3 {
		return PartPushed{}, fmt.Errorf("answer of %d numbers, want 3", len(n))
	}
	p := PartPushed{Pushed: Pushed{Depth: n[1]}, Done: int(n[2])}
	switch n[0] {
	case 0:
		return PartPushed{}, ErrBacklogFull
	case 1:
		return p, nil
	case 2:
		p.WakeDue = true
		return p, nil
	case 3:
		p.Replayed = true
		return p, nil
	case 4:
		return PartPushed{}, ErrKeyReused
	default:
		return PartPushed{}, fmt.Errorf("answer with status %d", n[0])
	}
}
