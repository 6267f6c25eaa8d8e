package local

import (
	"context"
	"fmt"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/backoff"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
)

// rescue writes the records in the embedded Redis as direct records. It waits for
// the leases of claims.
func (p *Pipeline) rescue(ctx context.Context) error {
	objects := archive.New(p.bucket, p.o.Deployment)
	deadline := time.Now().Add(p.o.Lease + stuckAfter)
	for n := 0; ; n++ {
		left, err := p.queued(ctx)
		if err != nil || left == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d records are lost with the embedded Redis", left)
		}
		for _, name := range p.streams.Load().Names() {
			if err := p.rescueStream(ctx, objects, name, fmt.Sprintf("stop.%d", n)); err != nil {
				p.o.Log.Error("records not rescued", "stream", name, "error", err)
			}
		}
		backoff.Sleep(ctx, progressCheck)
	}
}

// rescueStream writes one claim to the archive.
func (p *Pipeline) rescueStream(ctx context.Context, objects *archive.Archive, name, id string) error {
	if _, err := p.queue.Reclaim(ctx, name); err != nil {
		return err
	}
	limits := drainerEnv(p.o)
	c, err := p.queue.Claim(ctx, name, id, limits.Lease, limits.ClaimRecords, limits.ClaimBytes)
	if err != nil {
		return err
	}
	s, _ := p.streams.Load().Lookup(name)
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
