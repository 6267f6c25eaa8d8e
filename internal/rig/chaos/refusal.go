package chaos

import (
	"bytes"
	"context"
	"math/rand/v2"
	"sync"

	"github.com/data-sink/data-sink/internal/pipeline/backoff"
)

// refusal is the state of a Firehose that refuses one record for a while: the first
// one that arrives, and then every record that holds the same first body. Safe for
// concurrent use.
type refusal struct {
	mu     sync.Mutex
	armed  bool
	header []byte // of the body; nil until a record has arrived
	met    int
}

// refuses reports whether Firehose refuses a record.
func (r *refusal) refuses(data []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.armed {
		return false
	}
	if _, _, ok := parseHeader(data); r.header == nil && ok {
		r.header = bytes.Clone(data[:headerLen])
	}
	if r.header == nil || !bytes.Contains(data, r.header) {
		return false
	}
	r.met++
	return true
}

// arm starts the refusal, or ends it, and returns how often Firehose refused the
// record.
func (r *refusal) arm(armed bool) (met int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	met = r.met
	r.armed, r.header, r.met = armed, nil, 0
	return met
}

// refusalTime is longer than an invocation of the bridge lasts, so that the mapping
// sends the refused record again.
const refusalTime = 2 * bridgeTimeout

// refuseRecord makes Firehose refuse one record for several invocations of the
// bridge. Its shard waits, and the other shards must not.
func (s *suite) refuseRecord(ctx context.Context, _ *rand.Rand) (bool, error) {
	s.aws.refusal.arm(true)
	backoff.Sleep(ctx, refusalTime)
	met := s.aws.refusal.arm(false)
	s.log.printf("Firehose refused one record %d times", met)
	return met > 1, ctx.Err()
}
