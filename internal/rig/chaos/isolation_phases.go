package chaos

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/backoff"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
)

func (i *isolation) nothing(ctx context.Context, _ *IsolationPhase) error {
	<-ctx.Done()
	return nil
}

// victims posts records of the victim until ctx ends, and returns their number.
func (i *isolation) victims(ctx context.Context, next func(record) record) int {
	return len(i.steady(ctx, i.rate, 1, func(int) (record, string) {
		for {
			if r := i.ledger.nextHealthy(); r.stream.Name == i.victim.Name && i.fits(r) {
				return next(r), authorization
			}
		}
	}))
}

// throttle makes Kinesis throttle every record of the victim.
func (i *isolation) throttle(ctx context.Context, p *IsolationPhase) error {
	_, end := i.aws.makeTroubleOf(cloud.ServiceKinesis, i.resource, 1, cloud.Fault{Throttle: 1})
	defer end()
	p.Others = i.victims(ctx, func(r record) record { return r })
	return i.noteDepth(p)
}

// poison sends the victim records that can never be delivered: half of them have a
// key that Kinesis refuses, half have no envelope.
func (i *isolation) poison(ctx context.Context, p *IsolationPhase) error {
	var pushed atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for ; ctx.Err() == nil; backoff.Sleep(ctx, time.Second/time.Duration(i.rate)) {
			if i.push(ctx, []byte{undecodableMark}) {
				pushed.Add(1)
			}
		}
	})
	p.Others = i.victims(ctx, func(r record) record {
		r.partitionKey = invalidKey + strconv.Itoa(r.n)
		return r
	})
	wg.Wait()
	p.Others += int(pushed.Load())
	return i.settle(context.WithoutCancel(ctx))
}

// settle pushes healthy records to the victim until its queue is empty. While all
// records of a call are invalid, the call itself may be at fault, and the drainer
// keeps them for an hour. The first healthy record of a call decides it.
func (i *isolation) settle(ctx context.Context) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); backoff.Sleep(ctx, 200*time.Millisecond) {
		state, err := i.redis.queue.Inspect(ctx, i.victim.Name)
		if err != nil {
			return fmt.Errorf("inspecting the queue: %w", err)
		}
		if state.Depth+state.ClaimedRecords == 0 {
			return nil
		}
		e, err := envelope.Encode(envelope.Record{Stream: i.victim.Name, ReceivedAt: time.Now(), ID: uuid.NewString(), Body: []byte("healthy")})
		if err != nil {
			return fmt.Errorf("encoding: %w", err)
		}
		i.push(ctx, e)
	}
	return nil
}

// pushers is the number of concurrent pushes, enough to saturate Redis.
const pushers = 8

// flood pushes records to the victim at full speed. Kinesis throttles the first two
// thirds, so that they wait in the queue.
func (i *isolation) flood(ctx context.Context, p *IsolationPhase) error {
	_, end := i.aws.makeTroubleOf(cloud.ServiceKinesis, i.resource, 1, cloud.Fault{Throttle: 1})
	defer end()
	var pushed atomic.Int64
	body := make([]byte, 500)
	push := func(goal int) {
		var wg sync.WaitGroup
		for range pushers {
			wg.Go(func() {
				for ctx.Err() == nil && pushed.Load() < int64(goal) {
					e, err := envelope.Encode(envelope.Record{Stream: i.victim.Name, ReceivedAt: time.Now(), ID: uuid.NewString(), Body: body})
					if err != nil {
						i.problems.add("encoding: %v", err)
						return
					}
					if i.push(ctx, e) {
						pushed.Add(1)
					}
				}
			})
		}
		wg.Wait()
	}
	push(i.records * 2 / 3)
	if err := i.noteDepth(p); err != nil {
		return err
	}
	end()
	i.log.printf("%d records are queued", p.Depth)
	push(i.records)
	p.Others = int(pushed.Load())
	<-ctx.Done()
	return nil
}

// wakeInterval is the stack's wake interval.
const wakeInterval = time.Second

// push pushes to the victim's queue and sends a due wake-up, as ingest does.
func (i *isolation) push(ctx context.Context, envelope []byte) bool {
	pushed, err := i.redis.queue.Push(ctx, i.victim.Name, envelope, 0)
	if err == nil && pushed.WakeDue {
		_, err = i.aws.Queues[wakePath].Send(ctx, `{"stream":"`+i.victim.Name+`"}`, wakeInterval)
	}
	return err == nil
}

func (i *isolation) noteDepth(p *IsolationPhase) error {
	state, err := i.redis.queue.Inspect(context.Background(), i.victim.Name)
	if err != nil {
		return fmt.Errorf("inspecting the queue: %w", err)
	}
	p.Depth = state.Depth + state.ClaimedRecords
	return nil
}

// spinners is the number of processes that a flood keeps busy: Redis, a drainer, the
// endpoint and the suite.
const spinners = 4

// spin keeps the machine busy.
func (i *isolation) spin(ctx context.Context, _ *IsolationPhase) error {
	for range spinners {
		cmd := exec.CommandContext(ctx, "sh", "-c", "while :; do :; done")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("keeping the machine busy: %w", err)
		}
		defer func() { _ = cmd.Wait() }() // it is killed when ctx ends
	}
	<-ctx.Done()
	return nil
}
