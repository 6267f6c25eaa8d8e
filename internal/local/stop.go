package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/backoff"
)

const (
	// stuckAfter is how long Stop waits for a part that makes no progress.
	stuckAfter = 20 * time.Second
	// progressCheck is the pause between two checks of what is left.
	progressCheck = 20 * time.Millisecond
)

// The queue mapping of the wake-ups.
const (
	wakeConcurrency = 4
	wakeRetry       = time.Second
	wakeMaxReceives = 5
)

// run starts what runs until Stop.
func (p *Pipeline) run(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	p.background, p.wakers, p.consumers = newGroup(ctx), newGroup(ctx), newGroup(ctx)
	p.background.start(func(ctx context.Context) { schedule(ctx, p.functions.drainer, p.o.SweepInterval, p.o.Log) })
	p.wakers.start(cloud.NewQueueMapping(cloud.QueueMappingOptions{
		Queue: p.wakes, Function: p.functions.drainer, Concurrency: wakeConcurrency,
		Visibility: 6 * functionTimeout, Retry: wakeRetry, MaxReceives: wakeMaxReceives, Log: p.o.Log,
	}).Run)
	p.consumers.start(p.firehose.Run)
	for _, m := range p.mappings.byStream {
		p.consumers.start(m.Run)
	}
	p.token = newToken()
	p.serveAll()
}

// Stop ends the pipeline, and returns when every accepted record is in the
// archive. Requests that are not admitted yet are refused. If a part makes no
// progress, its records stay where the next process finds them; records in the
// embedded Redis become direct records. The error says so. When ctx ends, Stop
// does not wait any longer.
func (p *Pipeline) Stop(ctx context.Context) error {
	p.gateway.Close()
	errs := []error{p.withdraw()}
	if err := p.apiServer.Shutdown(ctx); err != nil {
		errs = append(errs, fmt.Errorf("closing the HTTP API: %w", err))
	}
	p.background.stop()
	errs = append(errs, p.emptyQueue(ctx))
	p.wakers.stop()
	errs = append(errs, p.emptyStreams(ctx))
	p.consumers.stop()
	errs = append(errs, p.firehose.Flush(ctx))
	return errors.Join(append(errs, p.closeAll())...)
}

// progress waits until left returns 0, or has returned the same for stuckAfter.
func (p *Pipeline) progress(ctx context.Context, doing string, left func() (int64, error)) error {
	last, since := int64(-1), time.Now()
	slow := time.AfterFunc(2*time.Second, func() { p.o.Log.Warn("stopping takes longer than usual", "doing", doing) })
	defer slow.Stop()
	for {
		now, err := left()
		switch {
		case err == nil && now == 0:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && now != last:
			last, since = now, time.Now()
		case time.Since(since) > stuckAfter:
			return errors.Join(errStuck, err)
		}
		backoff.Sleep(ctx, progressCheck)
	}
}

var errStuck = fmt.Errorf("no progress for %v", stuckAfter)

// emptyQueue runs the drainer until Redis holds no record.
func (p *Pipeline) emptyQueue(ctx context.Context) error {
	err := p.progress(ctx, "emptying the queue", func() (int64, error) {
		swept := sweep(ctx, p.functions.drainer)
		left, err := p.queued(ctx)
		return left, errors.Join(swept, err)
	})
	if err == nil {
		return nil
	}
	err = fmt.Errorf("emptying the queue: %w", err)
	if p.o.RedisURL != "" {
		return fmt.Errorf("%w; the records in Redis are delivered after the next start", err)
	}
	p.o.Log.Warn("the queue cannot be emptied; its records become direct records", "error", err)
	return p.rescue(context.WithoutCancel(ctx))
}

// queued is the number of records in the queues and claims of known streams.
func (p *Pipeline) queued(ctx context.Context) (int64, error) {
	var records int64
	for _, name := range p.streams.Load().Names() {
		state, err := p.queue.Inspect(ctx, name)
		if err != nil {
			return 0, err
		}
		records += state.Depth + state.ClaimedRecords
	}
	return records, nil
}

// emptyStreams waits until the bridge has accepted all records in Kinesis.
func (p *Pipeline) emptyStreams(ctx context.Context) error {
	var behind int64
	err := p.progress(ctx, "emptying the Kinesis streams", func() (int64, error) {
		behind = p.mappings.behind()
		return behind, nil
	})
	if err != nil {
		return fmt.Errorf("emptying the Kinesis streams: %w; %d bytes stay in %s and are delivered after the next start", err, behind, p.o.Data)
	}
	return nil
}

// atEnd adds a function that closeAll calls.
func (p *Pipeline) atEnd(f func() error) { p.closers = append(p.closers, f) }

// closeAll closes what is open, the newest part first.
func (p *Pipeline) closeAll() error {
	var errs []error
	for _, f := range slices.Backward(p.closers) {
		if err := f(); !errors.Is(err, net.ErrClosed) { // A server closes its listener.
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
