package chaos

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/backoff"
)

// betweenFaults are the faults between the functions and the services: of the links,
// of Redis, and of S3, which ingest needs while Redis is unreachable.
func (s *suite) betweenFaults() []fault {
	var all []fault
	for _, l := range s.links.all() {
		for _, f := range []fault{
			{"cut the link from " + l.name, s.under(l, cut)},
			{"slow the link from " + l.name, s.under(l, slow)},
			{"black-hole the link from " + l.name, s.under(l, unanswered)},
		} {
			switch l {
			case s.links.ingestRedis:
				f = s.renewing(f)
			case s.links.s3:
				f = s.withoutRedis(f)
			}
			all = append(all, f)
		}
	}
	if s.settings.cluster {
		all = append(all, s.clusterFaults()...)
	}
	if s.settings.replica {
		all = append(
			all,
			s.renewing(fault{"partition the primary of Redis", s.partition(0, time.Second)}),
			s.renewing(fault{"partition the primary of Redis, with min-replicas-to-write", s.partition(1, refusedAfter+time.Second)}),
		)
	}
	if s.settings.tls {
		all = append(all, s.renewing(fault{"close idle TLS connections from ingest to Redis", s.closeIdle}))
	}
	for _, command := range scriptCommands {
		all = append(all, s.renewing(s.refuseCommand(command)))
	}
	return append(
		all,
		s.renewing(fault{"kill Redis", s.killRedis}),
		s.renewing(fault{"freeze Redis", s.freezeRedis}),
		s.renewing(fault{"fill Redis to its memory limit", s.fillRedis}),
		s.withoutRedis(s.failBefore("S3", cloud.ServiceS3)),
		s.withoutRedis(s.resetAfter("S3", cloud.ServiceS3)),
	)
}

// renewing replaces the processes of ingest after a fault of Redis. The breaker of
// the old processes would bypass Redis for another five seconds, and the next fault
// would have no effect.
func (s *suite) renewing(f fault) fault {
	return fault{f.name, func(ctx context.Context, random *rand.Rand) (bool, error) {
		defer s.functions.ingest.Renew()
		return f.do(ctx, random)
	}}
}

// withoutRedis disconnects ingest from Redis during a fault, so that it needs S3.
func (s *suite) withoutRedis(f fault) fault {
	return s.renewing(fault{f.name + ", and Redis unreachable", func(ctx context.Context, random *rand.Rand) (bool, error) {
		s.links.ingestRedis.set(cut)
		defer s.links.ingestRedis.set(whole)
		return f.do(ctx, random)
	}})
}

// under gives a link a condition for a while.
func (s *suite) under(l *link, c condition) action {
	return func(ctx context.Context, random *rand.Rand) (bool, error) {
		begun := time.Now()
		l.set(c)
		hold(ctx, random)
		l.set(whole)
		if c != slow {
			s.aws.calls.lost(l.service, begun)
		}
		return true, ctx.Err()
	}
}

func (s *suite) killRedis(ctx context.Context, random *rand.Rand) (bool, error) {
	node := s.redis.any(random)
	node.Kill()
	s.kills.Add(1)
	hold(ctx, random)
	return true, s.redis.restart(ctx, node)
}

// freezeRedis stops a Redis process for a while: its connections stay open and get
// no reply.
func (s *suite) freezeRedis(ctx context.Context, random *rand.Rand) (bool, error) {
	node := s.redis.any(random)
	node.Freeze()
	defer node.Thaw()
	hold(ctx, random)
	return true, ctx.Err()
}

// idleTime is how long a connection must have been idle to be closed.
const idleTime = 20 * time.Millisecond

// closeIdle closes idle connections from ingest to Redis below their TLS, and then
// sends records at full speed, so that every process of ingest meets one. Each
// closed connection fails at most one push, whose record becomes a fallback record.
func (s *suite) closeIdle(ctx context.Context, random *rand.Rand) (bool, error) {
	closed := 0
	found := within(ctx, troubleTimeout, func() bool {
		closed = s.links.ingestRedis.ways[0].closeIdle(idleTime)
		return closed > 0
	})
	before := s.aws.fallbacks.Load()
	s.load.atFullSpeed(func() { hold(ctx, random) })
	s.log.printf("closed %d idle connections, %d fallback records", closed, s.aws.fallbacks.Load()-before)
	return found, ctx.Err()
}

const (
	// memoryLeft is the number of bytes that Redis may still allocate under its
	// memory limit. It is more than the connections alone may need.
	memoryLeft = 1 << 20
	// fillTimeout bounds the wait until Redis is full, and the wait until it drains.
	fillTimeout = time.Minute
)

// fillRedis stops Kinesis until Redis is full and ingest writes direct records. Then
// Kinesis returns, and the queues must drain at the memory limit.
func (s *suite) fillRedis(ctx context.Context, _ *rand.Rand) (bool, error) {
	_, endTrouble := s.aws.makeTrouble(cloud.ServiceKinesis, "", 1, cloud.Fault{Fail: cloud.Status500})
	if err := s.redis.limitMemory(ctx, memoryLeft); err != nil {
		endTrouble()
		return false, err
	}
	before := s.aws.fallbacks.Load()
	full := false
	s.load.atFullSpeed(func() {
		full = within(ctx, fillTimeout, func() bool { return s.aws.fallbacks.Load() > before+10 })
	})
	endTrouble()
	taken := s.aws.taken.Load()
	if full && !within(ctx, fillTimeout, func() bool { return s.aws.taken.Load() > taken+50 || s.isEmpty(ctx) }) {
		s.problems.add("Redis did not drain at its memory limit")
	}
	return full, s.redis.limitMemory(ctx, 0)
}

// isEmpty reports whether all queues and claims are empty.
func (s *suite) isEmpty(ctx context.Context) bool {
	queued, err := s.queued(ctx)
	return err == nil && queued == 0
}

// within waits until ready returns true, and reports whether it did so before the
// time-out.
func within(ctx context.Context, timeout time.Duration, ready func() bool) bool {
	for end := time.Now().Add(timeout); time.Now().Before(end) && ctx.Err() == nil; backoff.Sleep(ctx, 10*time.Millisecond) {
		if ready() {
			return true
		}
	}
	return false
}
