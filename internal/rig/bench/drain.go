package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/redis/go-redis/v9"
)

func drainRate(l *lab, rounds int) ([]figure, error) {
	return compareDrain(l, rounds, "drain.rate", 60_000, 1<<10)
}

func drainSmall(l *lab, rounds int) ([]figure, error) {
	return compareDrain(l, rounds, "drain.small", 100_000, 100)
}

// newDrainer builds a drainer as functions/drainer does.
func (l *lab) newDrainer(streams *stream.Set) (*drain.Handler, error) {
	e := env.Defaults(env.ParseDrainer)
	e.Name = deployment
	q, err := l.openQueue(e.Wake.Interval)
	if err != nil {
		return nil, err
	}
	return drain.New(drain.Config{
		Drainer: e, Streams: streams, Queue: q, Waker: noWaker{},
		Kinesis:  drain.KinesisWriter(sink.NewKinesis(kinesis.NewFromConfig(l.config())), e),
		Firehose: drain.FirehoseWriter(sink.NewFirehose(firehose.NewFromConfig(l.config()))),
		Log:      slog.New(slog.DiscardHandler),
	}), nil
}

// compareDrain drains n records of a size in one invocation.
func compareDrain(l *lab, rounds int, name string, n, size int) ([]figure, error) {
	h, err := l.newDrainer(streams(1))
	if err != nil {
		return nil, err
	}
	n = l.few(n)
	body := randomBody(size)
	filled := func(value []byte) error {
		return l.fill(queueKey(orders), n, func(int) []byte { return value })
	}
	return compare(rounds, [2]side{
		l.rate(name, n, n, func() error { return filled(envelopeOf(orders, body)) }, func() error { return sweep(h) }),
		l.rate(name, n, n, func() error { return filled(body) }, newFloorDrainer(l).drain),
	})
}

// sweep drains all queues in one invocation.
func sweep(h *drain.Handler) error {
	ctx, cancel := invocation(55)
	defer cancel()
	_, err := h.Invoke(ctx, []byte(drain.SweepEvent))
	return err
}

// rate returns a side that drains n records from Redis to the endpoint, where arrive
// records arrive.
func (l *lab) rate(name string, n, arrive int, fill, drain func() error) side {
	return func() ([]measure, error) {
		if err := fill(); err != nil {
			return nil, err
		}
		took, cpu, err := l.arrival(arrive, drain)
		if err != nil {
			return nil, err
		}
		return []measure{
			{name, "records/s", float64(n) / took.Seconds()},
			{name + ".cpu", "ns", float64(cpu.Nanoseconds()) / float64(n)},
		}, l.empty("")
	}
}

// arrival measures a job that delivers n records to the endpoint. The CPU time is
// that of Redis and of this process, which includes the endpoint.
func (l *lab) arrival(n int, job func() error) (took, cpu time.Duration, err error) {
	redisBefore, err := usedCPU(l.redis.PID())
	if err != nil {
		return 0, 0, err
	}
	before, began, cpuBefore := l.endpoint.records.Load(), time.Now(), cpuTime()
	if err := job(); err != nil {
		return 0, 0, err
	}
	took, cpu = time.Since(began), cpuTime()-cpuBefore
	redisAfter, err := usedCPU(l.redis.PID())
	if err != nil {
		return 0, 0, err
	}
	if got := l.endpoint.records.Load() - before; got != int64(n) {
		return 0, 0, fmt.Errorf("%d of %d records arrived", got, n)
	}
	return took, cpu + redisAfter - redisBefore, nil
}

// floorClaim moves records into a claim without a lease or a limit of bytes.
//
//go:embed claim.lua
var floorClaim string

// floorDrainer is the smallest loop that drains a list without losing records in a
// crash: claim 500 records, put them, delete the claim. Several workers do so at
// once.
type floorDrainer struct {
	redis   *redis.Client
	claim   *redis.Script
	workers int
	put     func(ctx context.Context, records []string) error
}

// floorRecords is the number of records in a claim of a floorDrainer, and of a full
// claim of the drainer.
const floorRecords = 500

// newFloorDrainer returns a floorDrainer that puts to Kinesis.
func newFloorDrainer(l *lab) *floorDrainer {
	client, name, key := kinesis.NewFromConfig(l.floorConfig()), stream.ResourceName(deployment, orders), "019ab1c2-7e5f-7cc1-98c4-dc0c0c07398f"
	put := func(ctx context.Context, records []string) error {
		entries := make([]types.PutRecordsRequestEntry, len(records))
		for i, r := range records {
			entries[i] = types.PutRecordsRequestEntry{PartitionKey: &key, Data: []byte(r)}
		}
		_, err := client.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: &name, Records: entries})
		return err
	}
	return &floorDrainer{redis: l.floorClient(), claim: redis.NewScript(floorClaim), workers: 8, put: put}
}

// floorConfig is the configuration of the clients of the floors.
func (l *lab) floorConfig() aws.Config {
	config := l.config()
	config.HTTPClient = plainBody{config.HTTPClient}
	return config
}

func (f *floorDrainer) drain() error {
	errs := make([]error, f.workers)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = f.work(context.Background(), i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (f *floorDrainer) work(ctx context.Context, worker int) error {
	claim := fmt.Sprintf("%s:claim:%d", queueKey(orders), worker)
	for {
		records, err := f.claim.Run(ctx, f.redis, []string{queueKey(orders), claim}, floorRecords).StringSlice()
		if err != nil || len(records) == 0 {
			return err
		}
		if err := f.put(ctx, records); err != nil {
			return err
		}
		if err := f.redis.Del(ctx, claim).Err(); err != nil {
			return err
		}
	}
}

// plainBody prevents net/http from closing the connection when the answer arrives
// before the body has been read to its end, see package sink. It makes the floor
// faster.
type plainBody struct {
	next interface {
		Do(*http.Request) (*http.Response, error)
	}
}

func (c plainBody) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return c.next.Do(r)
}
