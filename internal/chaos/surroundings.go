package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/data-sink/data-sink/internal/awstest"
)

// surroundingFaults are what happens to all that the functions need: the links,
// Redis, and the services.
func (s *suite) surroundingFaults() []fault {
	var all []fault
	for _, l := range s.links.all() {
		faults := []fault{
			{"cut the link from " + l.name, s.cut(l)},
			{"slow the link from " + l.name, s.become(l, slowToxic)},
			{"swallow what is on the link from " + l.name, s.become(l, swallowToxic)},
		}
		for _, f := range faults {
			switch l {
			case s.links.ingestRedis:
				f = s.renewing(f)
			case s.links.s3:
				f = s.withoutRedis(f)
			}
			all = append(all, f)
		}
	}
	all = append(
		all,
		s.renewing(fault{"kill Redis", s.killRedis}),
		s.renewing(fault{"freeze Redis", s.freezeRedis}),
		s.renewing(fault{"fill Redis to its memory limit", s.fillRedis}),
		s.trouble("throttle half of the records of Kinesis", awstest.ServiceKinesis, 1, awstest.Fault{Throttle: 0.5}),
		s.trouble("throttle half of the records of Firehose", awstest.ServiceFirehose, 1, awstest.Fault{Throttle: 0.5}),
	)
	return append(all, s.failures()...)
}

// failures are calls that fail as a whole.
func (s *suite) failures() []fault {
	var all []fault
	for _, one := range []struct{ name, service string }{
		{"Kinesis", awstest.ServiceKinesis}, {"Firehose", awstest.ServiceFirehose}, {"S3", awstest.ServiceS3}, {"SQS", awstest.ServiceSQS},
	} {
		for _, f := range []fault{
			s.trouble("fail calls of "+one.name+" before they take effect", one.service, 0.5, awstest.Fault{Fail: awstest.Status500}),
			s.trouble("reset calls of "+one.name+" after they took effect", one.service, 0.5, awstest.Fault{Fail: awstest.Reset, After: true}),
		} {
			if one.service == awstest.ServiceS3 {
				f = s.withoutRedis(f)
			}
			all = append(all, f)
		}
	}
	return append(
		all,
		s.trouble("fail calls of Kinesis after they took effect", awstest.ServiceKinesis, 0.5, awstest.Fault{Fail: awstest.Status500, After: true}),
		s.trouble("hang calls of Kinesis after they took effect", awstest.ServiceKinesis, 0.3, awstest.Fault{Fail: awstest.Hang, After: true}),
		s.trouble("delay calls of Kinesis past the lease", awstest.ServiceKinesis, 0.3, awstest.Fault{Delay: lease}),
	)
}

// renewing has new processes of ingest after a fault of Redis: for five seconds
// the old ones would go around it, and the next fault would meet nobody.
func (s *suite) renewing(f fault) fault {
	return fault{f.name, func(ctx context.Context, random *rand.Rand) (bool, error) {
		defer s.functions.ingest.Renew()
		return f.do(ctx, random)
	}}
}

// withoutRedis keeps ingest from Redis meanwhile, so that it needs S3.
func (s *suite) withoutRedis(f fault) fault {
	return s.renewing(fault{f.name + ", and Redis away", func(ctx context.Context, random *rand.Rand) (bool, error) {
		s.links.ingestRedis.cut()
		done, err := f.do(ctx, random)
		return done, errors.Join(err, s.links.ingestRedis.mend())
	}})
}

// leastCalls is how many calls a trouble waits for, and troubleTimeout how long.
const (
	leastCalls     = 3
	troubleTimeout = 15 * time.Second
)

// trouble has a share of a service's calls meet a fault for a while.
func (s *suite) trouble(name, service string, share float64, f awstest.Fault) fault {
	return fault{name, func(ctx context.Context, random *rand.Rand) (bool, error) {
		met, end := s.aws.makeTrouble(service, share, f)
		defer end()
		hold(ctx, random)
		return within(ctx, troubleTimeout, func() bool { return met.Load() >= leastCalls }) || met.Load() > 0, ctx.Err()
	}}
}

// cut cuts a link and mends it.
func (s *suite) cut(l *link) func(context.Context, *rand.Rand) (bool, error) {
	return func(ctx context.Context, random *rand.Rand) (bool, error) {
		defer s.aws.calls.lost(l.service, time.Now())
		l.cut()
		hold(ctx, random)
		return true, l.mend()
	}
}

// become changes a link for a while. Connections are cut at both ends of it.
func (s *suite) become(l *link, toxic string) func(context.Context, *rand.Rand) (bool, error) {
	return func(ctx context.Context, random *rand.Rand) (bool, error) {
		defer s.aws.calls.lost(l.service, time.Now())
		if err := l.become(toxic); err != nil {
			return true, err
		}
		hold(ctx, random)
		return true, l.mend()
	}
}

func (s *suite) killRedis(ctx context.Context, random *rand.Rand) (bool, error) {
	s.redis.server.Kill()
	s.kills.Add(1)
	hold(ctx, random)
	return true, s.redis.server.Restart()
}

// freezeRedis has Redis answer nothing, on connections that stay open.
func (s *suite) freezeRedis(ctx context.Context, random *rand.Rand) (bool, error) {
	s.redis.server.Freeze()
	defer s.redis.server.Thaw()
	hold(ctx, random)
	return true, ctx.Err()
}

const (
	// memoryLeft is what Redis may still take when its memory is limited.
	memoryLeft = 256 << 10
	// fillTimeout bounds the wait until it is full, and until it has drained.
	fillTimeout = 10 * time.Second
)

// fillRedis stops Kinesis until Redis is full and ingest writes to the archive
// instead. Then Kinesis returns, and the queues must drain at the limit.
func (s *suite) fillRedis(ctx context.Context, _ *rand.Rand) (bool, error) {
	used, err := s.redis.usedMemory()
	if err != nil {
		return false, err
	}
	_, endTrouble := s.aws.makeTrouble(awstest.ServiceKinesis, 1, awstest.Fault{Fail: awstest.Status500})
	if err := s.redis.limitMemory(used + memoryLeft); err != nil {
		endTrouble()
		return false, err
	}
	_, before := s.aws.counts()
	s.load.rate.Store(0)
	s.load.goal.Add(int64(s.options.Records) + memoryLeft) // as much as it takes
	full := within(ctx, fillTimeout, func() bool {
		_, now := s.aws.counts()
		return now > before+10
	})
	s.load.goal.Add(-int64(s.options.Records) - memoryLeft)
	s.load.rate.Store(leastRate)
	endTrouble()
	taken := s.aws.taken()
	if full && !within(ctx, fillTimeout, func() bool { return s.aws.taken() > taken+50 }) {
		s.problems.add("Redis did not drain at its memory limit")
	}
	return full, s.redis.limitMemory(0)
}

// within waits until something is so.
func within(ctx context.Context, timeout time.Duration, isSo func() bool) bool {
	for end := time.Now().Add(timeout); time.Now().Before(end) && ctx.Err() == nil; sleep(ctx, 10*time.Millisecond) {
		if isSo() {
			return true
		}
	}
	return false
}
