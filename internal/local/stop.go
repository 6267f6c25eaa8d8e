package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/data-sink/data-sink/internal/local/gateway"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
)

const (
	// stuckAfter is how long Stop waits for a part that makes no progress.
	stuckAfter = 20 * time.Second
	// lookAgain is the pause between two looks at what is left.
	lookAgain = 20 * time.Millisecond
)

// run starts what runs until Stop.
func (p *Pipeline) run(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	background, cancelBackground := context.WithCancel(ctx)
	consumers, cancelConsumers := context.WithCancel(ctx)
	p.background.cancel, p.consumers.cancel = cancelBackground, cancelConsumers
	p.background.wg.Go(func() { schedule(background, p.drainer, p.o.SweepInterval, p.o.Log) })
	p.consumers.wg.Go(func() { p.firehose.Run(consumers) })
	for _, m := range p.mappings {
		p.consumers.wg.Go(func() { m.Run(consumers) })
	}
	front := gateway.NewServer(invokeAPI(p.drainer, p.api()), p.o.Log)
	p.serve(gateway.Bound(p.listener, front), front)
	if p.s3 != nil {
		p.serve(p.s3, gateway.NewServer(p.s3Handler, p.o.Log))
	}
	if p.operator != nil {
		p.serve(p.operator, gateway.NewServer(p.operatorAPI(), p.o.Log))
	}
}

func (p *Pipeline) serve(l net.Listener, s *http.Server) {
	p.servers = append(p.servers, s)
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			p.o.Log.Error("serving ended", "address", l.Addr().String(), "error", err)
		}
	}()
}

// Addr is where the HTTP API listens.
func (p *Pipeline) Addr() net.Addr { return p.listener.Addr() }

// S3Addr is where the S3 API listens; nil when it does not.
func (p *Pipeline) S3Addr() net.Addr {
	if p.s3 == nil {
		return nil
	}
	return p.s3.Addr()
}

// Stop ends the pipeline and returns when all that was accepted is in the
// archive. Callers that are not admitted yet are refused. What a part that makes
// no progress keeps from its way stays where the next process finds it, or, when
// that would be the memory of this one, goes straight to the archive; the error
// says so. When ctx ends Stop no longer waits.
func (p *Pipeline) Stop(ctx context.Context) error {
	p.gateway.Close()
	errs := []error{p.leave()}
	if err := p.servers[0].Shutdown(ctx); err != nil {
		errs = append(errs, fmt.Errorf("closing the HTTP API: %w", err))
	}
	p.background.stop()
	errs = append(errs, p.emptyQueue(ctx))
	p.wakes.Close()
	errs = append(errs, p.emptyStreams(ctx))
	p.consumers.stop()
	errs = append(errs, p.firehose.Flush(ctx))
	return errors.Join(append(errs, p.closeAll())...)
}

// progress waits until left is 0, or has been the same for stuckAfter.
func (p *Pipeline) progress(ctx context.Context, doing string, left func() (int64, error)) error {
	last, since := int64(-1), time.Now()
	slow := time.AfterFunc(2*time.Second, func() { p.o.Log.Warn("this takes longer", "doing", doing) })
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
		sleep(ctx, lookAgain)
	}
}

var errStuck = fmt.Errorf("no progress for %v", stuckAfter)

// emptyQueue runs the drainer until Redis holds no record.
func (p *Pipeline) emptyQueue(ctx context.Context) error {
	err := p.progress(ctx, "emptying the queue", func() (int64, error) {
		swept := sweep(ctx, p.drainer)
		left, err := p.queued(ctx)
		return left, errors.Join(swept, err)
	})
	if err == nil {
		return nil
	}
	err = fmt.Errorf("emptying the queue: %w", err)
	if p.o.RedisURL != "" {
		return fmt.Errorf("%w; what Redis holds stays there for the next start", err)
	}
	p.o.Log.Warn("the queue does not empty; its records go straight to the archive", "error", err)
	return p.rescue(context.WithoutCancel(ctx))
}

// queued is the number of records in the queues and claims of known streams.
func (p *Pipeline) queued(ctx context.Context) (int64, error) {
	var records int64
	for _, name := range p.o.Streams.Names() {
		state, err := p.queue.Inspect(ctx, name)
		if err != nil {
			return 0, err
		}
		records += state.Depth + state.ClaimedRecords
	}
	return records, nil
}

// rescue writes what is left in the embedded Redis straight to the archive. The
// leases of claims are waited for.
func (p *Pipeline) rescue(ctx context.Context) error {
	objects := archive.New(p.folder, p.o.Deployment)
	deadline := time.Now().Add(p.o.Lease + stuckAfter)
	for n := 0; ; n++ {
		left, err := p.queued(ctx)
		if err != nil || left == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d records are lost with the embedded Redis", left)
		}
		for _, name := range p.o.Streams.Names() {
			if err := p.rescueStream(ctx, objects, name, fmt.Sprintf("stop.%d", n)); err != nil {
				p.o.Log.Error("records not rescued", "stream", name, "error", err)
			}
		}
		sleep(ctx, lookAgain)
	}
}

// rescueStream writes one claim to the archive.
func (p *Pipeline) rescueStream(ctx context.Context, objects *archive.Archive, name, id string) error {
	if _, err := p.queue.Reclaim(ctx, name); err != nil {
		return err
	}
	c, err := p.queue.Claim(ctx, name, id, p.o.Lease, 500, 1<<20)
	if err != nil {
		return err
	}
	s, _ := p.o.Streams.Lookup(name)
	var aside []archive.DeadLetter
	for _, e := range c.Envelopes {
		r, err := envelope.Decode(e)
		if err != nil {
			aside = append(aside, archive.DeadLetter{Stream: name, Reason: err.Error(), FailedAt: time.Now(), Envelope: e})
			continue
		}
		if _, err := objects.Put(ctx, s, r, archive.Fallback); err != nil {
			return err
		}
	}
	if len(aside) > 0 {
		if _, err := objects.PutDeadLetters(ctx, archive.StageDrainer, name, id, aside); err != nil {
			return err
		}
	}
	if len(c.Envelopes) > 0 {
		_, err = p.queue.Ack(ctx, c, nil)
	}
	return err
}

// emptyStreams waits until the bridge has taken all that Kinesis has.
func (p *Pipeline) emptyStreams(ctx context.Context) error {
	var behind int64
	err := p.progress(ctx, "emptying the Kinesis streams", func() (int64, error) {
		behind = 0
		for _, m := range p.mappings {
			behind += m.Behind()
		}
		return behind, nil
	})
	if err != nil {
		return fmt.Errorf("emptying the Kinesis streams: %w; %d bytes stay in %s for the next start", err, behind, p.o.Data)
	}
	return nil
}

// closeAll closes what is open.
func (p *Pipeline) closeAll() error {
	var errs []error
	for _, s := range p.servers {
		errs = append(errs, s.Close())
	}
	if p.listener != nil && len(p.servers) == 0 {
		errs = append(errs, p.listener.Close())
	}
	for _, l := range []net.Listener{p.s3, p.operator} {
		if l != nil && len(p.servers) == 0 {
			errs = append(errs, l.Close())
		}
	}
	if p.queue != nil {
		errs = append(errs, p.queue.Close())
	}
	p.stopRedis()
	if p.kinesis != nil {
		errs = append(errs, p.kinesis.Close())
	}
	for _, log := range []*keptLog{p.packed, p.direct} {
		if log != nil {
			errs = append(errs, log.close())
		}
	}
	if p.lock != nil {
		errs = append(errs, p.lock.Close())
	}
	return errors.Join(errs...)
}
