package chaos

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
)

// serviceFaults are the faults of calls of AWS services.
func (s *suite) serviceFaults() []fault {
	const kinesis, firehose = cloud.ServiceKinesis, cloud.ServiceFirehose
	return []fault{
		s.trouble("throttle half of the records of Kinesis", kinesis, 1, cloud.Fault{Throttle: 0.5}),
		s.trouble("throttle half of the records of Firehose", firehose, 1, cloud.Fault{Throttle: 0.5}),
		s.failBefore("Kinesis", kinesis), s.resetAfter("Kinesis", kinesis),
		s.failBefore("Firehose", firehose), s.resetAfter("Firehose", firehose),
		s.failBefore("SQS", cloud.ServiceSQS), s.resetAfter("SQS", cloud.ServiceSQS),
		s.trouble("fail calls of Kinesis after they took effect", kinesis, 0.5, cloud.Fault{Fail: cloud.Status500, After: true}),
		s.trouble("fail calls of Firehose after they took effect", firehose, 0.5, cloud.Fault{Fail: cloud.Status500, After: true}),
		s.trouble("hang calls of Kinesis after they took effect", kinesis, 0.3, cloud.Fault{Fail: cloud.Hang, After: true}),
		s.trouble("hang calls of Firehose before they take effect", firehose, 0.3, cloud.Fault{Fail: cloud.Hang}),
		s.trouble("delay calls of Kinesis past the lease", kinesis, 0.3, cloud.Fault{Delay: lease}),
		{"refuse one record of Firehose for several invocations", s.refuseRecord},
	}
}

func (s *suite) failBefore(name, service string) fault {
	return s.trouble("fail calls of "+name+" before they take effect", service, 0.5, cloud.Fault{Fail: cloud.Status500})
}

func (s *suite) resetAfter(name, service string) fault {
	return s.trouble("reset calls of "+name+" after they took effect", service, 0.5, cloud.Fault{Fail: cloud.Reset, After: true})
}

// A trouble lasts until leastCalls calls have met it, but for at most
// troubleTimeout.
const (
	leastCalls     = 3
	troubleTimeout = time.Minute
)

// trouble injects f into a share of a service's calls for a while.
func (s *suite) trouble(name, service string, share float64, f cloud.Fault) fault {
	return fault{name, func(ctx context.Context, random *rand.Rand) (bool, error) {
		met, end := s.aws.makeTrouble(service, "", share, f)
		defer end()
		hold(ctx, random)
		return within(ctx, troubleTimeout, func() bool { return met.Load() >= leastCalls }) || met.Load() > 0, ctx.Err()
	}}
}
