package chaos

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/backoff"
	"github.com/data-sink/data-sink/internal/rig/lambdatest"
)

// trapTimeout bounds the wait for a function to reach a step with a trap.
const trapTimeout = time.Minute

// processFaults are the faults of processes: SIGKILL at each step, SIGSTOP past the
// lease, and an acknowledgement that comes too late.
func (s *suite) processFaults() []fault {
	var all []fault
	for _, at := range []step{beforeClaim, afterClaim, beforePut, afterPut, beforeAck, afterAck} {
		all = append(all, fault{"kill a drainer " + string(at), s.killAt(at)})
	}
	for _, at := range []step{beforeFirehose, afterFirehose} {
		all = append(all, fault{"kill a bridge " + string(at), s.killAt(at)})
	}
	for _, at := range []step{beforePut, afterPut, beforeAck} {
		all = append(all, fault{"freeze a drainer past its lease " + string(at), s.freezeAt(at)})
	}
	if s.settings.keys {
		all = append(all, s.retryingFaults()...)
	}
	return append(
		all,
		fault{"delay an acknowledgement past the lease", s.expireLease},
		fault{"kill a process of ingest", s.killIngest},
	)
}

// spring arms a trap, waits until it has acted on the process that reaches the step,
// and reports whether it has. It disarms a trap that no process reaches.
func (s *suite) spring(ctx context.Context, at step, drop bool, do func(*lambdatest.Process)) (done bool) {
	for !done {
		t := s.traps.arm(at, drop, func(caller string) {
			if p := s.functions.find(caller); p != nil { // nil: it has ended meanwhile
				done = true
				do(p)
			}
		})
		select {
		case <-t.sprung:
		case <-ctx.Done():
		case <-time.After(trapTimeout):
		}
		if s.traps.take(at) != nil {
			return false
		}
		<-t.sprung // It may have sprung at the last moment.
	}
	return true
}

func (s *suite) killAt(at step) action {
	return func(ctx context.Context, _ *rand.Rand) (bool, error) {
		done := s.spring(ctx, at, true, func(p *lambdatest.Process) {
			p.Kill()
			s.kills.Add(1)
		})
		return done, ctx.Err()
	}
}

// freezeAt stops a drainer for longer than its lease, so that another drainer takes
// its claims and delivers them as well.
func (s *suite) freezeAt(at step) action {
	return func(ctx context.Context, _ *rand.Rand) (bool, error) {
		done := s.spring(ctx, at, false, func(p *lambdatest.Process) {
			p.Freeze()
			backoff.Sleep(ctx, lease+4*sweepInterval)
			p.Thaw()
		})
		return done, ctx.Err()
	}
}

func (s *suite) expireLease(ctx context.Context, _ *rand.Rand) (bool, error) {
	done := s.spring(ctx, beforeAck, false, func(*lambdatest.Process) { backoff.Sleep(ctx, lease+4*sweepInterval) })
	return done, ctx.Err()
}

// killIngest kills a process at a random moment of its work.
func (s *suite) killIngest(ctx context.Context, random *rand.Rand) (bool, error) {
	backoff.Sleep(ctx, time.Duration(random.IntN(300))*time.Millisecond)
	all := s.functions.ingest.Processes()
	if len(all) == 0 {
		return false, ctx.Err()
	}
	all[random.IntN(len(all))].Kill()
	s.kills.Add(1)
	return true, ctx.Err()
}
