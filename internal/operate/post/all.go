package post

import (
	"context"
	"errors"
	"iter"
	"sync"
)

// Outcome is what became of one body of All.
type Outcome struct {
	// Index is the position of the body in its sequence, from 0 on.
	Index int
	Body  Body
	Receipt
	// Err is nil when the API accepted the body.
	Err error
}

// All posts the bodies of a sequence, so many at once, and calls done after each,
// one call at a time. It stops to take bodies when ctx ends, when the sequence
// has an error, and after an answer that every body would get (wrong
// credentials, no such stream); it returns that error after all that was under
// way is done with. A body that is refused or fails by itself does not stop it.
//
// Each body that was taken is tried once at least, and those taken are the first
// ones of the sequence, without a gap.
func (c *Client) All(ctx context.Context, bodies iter.Seq2[Body, error], concurrency int, done func(Outcome)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan Outcome)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range max(concurrency, 1) {
		wg.Go(func() {
			for o := range work {
				o.Receipt, o.Err = c.Post(ctx, o.Body)
				var refusal *Refusal
				if errors.As(o.Err, &refusal) && refusal.OfAll() {
					cancel(o.Err)
				}
				mu.Lock()
				done(o)
				mu.Unlock()
			}
		})
	}
	err := feed(ctx, bodies, work)
	close(work)
	wg.Wait()
	if err != nil {
		return err
	}
	return context.Cause(ctx)
}

func feed(ctx context.Context, bodies iter.Seq2[Body, error], work chan<- Outcome) error {
	index := 0
	for b, err := range bodies {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case work <- Outcome{Index: index, Body: b}:
			index++
		}
	}
	return nil
}
