package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
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

func (i *isolation) nothing(ctx context.Context) (victimLoad, error) {
	<-ctx.Done()
	return victimLoad{}, nil
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
func (i *isolation) throttle(ctx context.Context) (victimLoad, error) {
	_, end := i.aws.makeTrouble(cloud.ServiceKinesis, i.resource, 1, cloud.Fault{Throttle: 1})
	defer end()
	records := i.victims(ctx, func(r record) record { return r })
	depth, err := i.depth()
	return victimLoad{records, depth}, err
}

// poison sends the victim records that can never be delivered: half of them have no
// envelope, and the others have a key that Kinesis refuses. One in healthyEvery of the
// others is healthy, because the drainer keeps the records of a call for an hour if
// Kinesis refuses all of them.
func (i *isolation) poison(ctx context.Context) (victimLoad, error) {
	var pushed atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for ; ctx.Err() == nil; backoff.Sleep(ctx, time.Second/time.Duration(i.rate)) {
			if i.push(ctx, []byte{undecodableMark}) {
				pushed.Add(1)
			}
		}
	})
	records := i.victims(ctx, func(r record) record {
		if rand.IntN(healthyEvery) > 0 {
			r.partitionKey = invalidKey + strconv.Itoa(r.n)
		}
		return r
	})
	wg.Wait()
	return victimLoad{records: records + int(pushed.Load())}, i.settlePoison(context.WithoutCancel(ctx))
}

const healthyEvery = 10

// settlePoison pushes healthy records to the victim until its queue is empty. While all
// records of a call are invalid, the call itself may be at fault, and the drainer
// keeps them for an hour. The first healthy record of a call decides it.
func (i *isolation) settlePoison(ctx context.Context) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); backoff.Sleep(ctx, 200*time.Millisecond) {
		if depth, err := i.depth(); err != nil || depth == 0 {
			return err
		}
		i.push(ctx, i.encoded([]byte("healthy")))
	}
	return nil
}

// pushers is the number of concurrent pushes, enough to saturate Redis.
const pushers = 8

// flood pushes records to the victim at full speed. Kinesis throttles the first two
// thirds, so that they wait in the queue.
func (i *isolation) flood(ctx context.Context) (victimLoad, error) {
	_, end := i.aws.makeTrouble(cloud.ServiceKinesis, i.resource, 1, cloud.Fault{Throttle: 1})
	defer end()
	var pushed atomic.Int64
	body := make([]byte, 500)
	push := func(goal int) {
		var wg sync.WaitGroup
		for range pushers {
			wg.Go(func() {
				for ctx.Err() == nil && pushed.Load() < int64(goal) {
					if i.push(ctx, i.encoded(body)) {
						pushed.Add(1)
					}
				}
			})
		}
		wg.Wait()
	}
	push(i.records * 2 / 3)
	depth, err := i.depth()
	if err != nil {
		return victimLoad{}, err
	}
	end()
	i.log.printf("%d records are queued", depth)
	push(i.records)
	<-ctx.Done()
	return victimLoad{int(pushed.Load()), depth}, nil
}

// encoded returns the envelope of a new record of the victim.
func (i *isolation) encoded(body []byte) []byte {
	e, err := envelope.Encode(envelope.Record{Stream: i.victim.Name, ReceivedAt: time.Now(), ID: uuid.NewString(), Body: body})
	if err != nil {
		panic(err) // the fields are valid
	}
	return e
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

// depth returns the number of records of the victim in its queue and in claims.
func (i *isolation) depth() (int, error) {
	state, err := i.redis.queue.Inspect(context.Background(), i.victim.Name)
	if err != nil {
		return 0, fmt.Errorf("inspecting the queue: %w", err)
	}
	return int(state.Depth + state.ClaimedRecords), nil
}

// spinners is the number of processes that a flood keeps busy: Redis, a drainer, the
// endpoint and the suite.
const spinners = 4

// spin keeps the machine busy.
func (i *isolation) spin(ctx context.Context) (victimLoad, error) {
	for range spinners {
		cmd := exec.CommandContext(ctx, "sh", "-c", "while :; do :; done")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			return victimLoad{}, fmt.Errorf("keeping the machine busy: %w", err)
		}
		defer func() { _ = cmd.Wait() }() // it is killed when ctx ends
	}
	<-ctx.Done()
	return victimLoad{}, nil
}
