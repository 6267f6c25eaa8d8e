package post

import (
	"context"
	"errors"
	"iter"
	"sync"
)

// Outcome is the result of one body of All.
type Outcome struct {
	// Index is the position of the body in the sequence, starting with 0.
	Index int
	Body  Body
	Receipt
	// Err is nil when the API accepted the body.
	Err error
}

// All posts the bodies of a sequence concurrently and calls done after each one.
// The calls of done do not overlap. All stops taking bodies when ctx ends, when the
// sequence yields an error, and after a response that every body would get, such as
// wrong credentials or an unknown stream. It then waits for the requests in flight
// and returns the error. A body that is refused for its own reasons does not stop All.
//
// The bodies taken are a prefix of the sequence. Each of them is tried at least once.
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
