package cloud

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/events"
)

// eventPerByte bounds the bytes of an event for each byte in the spool. Tiny
// records have the largest overhead.
const eventPerByte = 40

// step invokes the function with the next part, and works out what is left.
func (p *poller) step(ctx context.Context) error {
	m := p.mapping
	what := p.todo[len(p.todo)-1]
	end, _ := p.shard.spool.tail()
	maxBytes := int(min(int64(m.BatchBytes), 4096+(end-what.offset)*eventPerByte))
	if m.Memory != nil {
		if err := m.Memory.Acquire(ctx, int64(maxBytes)); err != nil {
			return err
		}
		defer m.Memory.Release(int64(maxBytes))
	}
	event, err := p.read(what, maxBytes)
	if err != nil {
		return err
	}
	batch := event.batch
	if len(batch) == 0 {
		p.todo = p.todo[:len(p.todo)-1]
		return nil
	}
	accepted, err := m.invoke(ctx, event)
	if accepted > 0 {
		if err := p.passed(batch[accepted-1]); err != nil {
			return err
		}
		p.failures = 0
	}
	if accepted == len(batch) {
		p.todo = p.todo[:len(p.todo)-1]
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return p.retry(ctx, what, batch, accepted, err)
}

// retry replaces the last part by what is left of it: the records that the
// function has not accepted, without those that are discarded.
func (p *poller) retry(ctx context.Context, what part, batch []batchRecord, accepted int, err error) error {
	left, retries := batch[accepted:], what.retries+1
	if accepted > 0 {
		retries = 1
	}
	reason, discarded := p.mapping.exhausted(retries, left)
	if discarded > 0 {
		if err := p.discard(ctx, partOf(left[:discarded], retries), reason, err != nil); err != nil {
			return err
		}
		left = left[discarded:]
		err = fmt.Errorf("discarded %d records: %w", discarded, cmp.Or(err, errPartial))
	}
	p.todo = p.todo[:len(p.todo)-1]
	switch half := len(left) / 2; {
	case len(left) == 0:
	case err != nil && discarded == 0 && half > 0: // Splitting is not a retry.
		p.todo = append(p.todo, partOf(left[half:], what.retries), partOf(left[:half], what.retries))
	default:
		p.todo = append(p.todo, partOf(left, retries))
	}
	return cmp.Or(err, errPartial)
}

// partOf returns the part of a batch that has these records.
func partOf(records []batchRecord, retries int) part {
	return part{offset: records[0].offset, records: len(records), retries: retries}
}

var errPartial = errors.New("the function accepted a part of the batch")

// invoke returns the number of records, from the first on, that the function has
// accepted. With an error it has accepted none.
func (m *Mapping) invoke(ctx context.Context, event *kinesisEvent) (accepted int, err error) {
	answer, err := m.Function.Invoke(ctx, event.bytes())
	if err != nil {
		return 0, err
	}
	var response events.KinesisEventResponse
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &response); err != nil {
			return 0, fmt.Errorf("reading the function's response: %w", err)
		}
	}
	accepted = len(event.batch)
	if len(response.BatchItemFailures) == 0 {
		return accepted, nil
	}
	at := make(map[string]int, len(event.batch))
	for i, r := range event.batch {
		at[r.sequence] = i
	}
	for _, failure := range response.BatchItemFailures {
		i, ok := at[failure.ItemIdentifier]
		if !ok {
			return 0, fmt.Errorf("reading the function's response: the batch has no record %q", failure.ItemIdentifier)
		}
		accepted = min(accepted, i)
	}
	return accepted, nil
}
