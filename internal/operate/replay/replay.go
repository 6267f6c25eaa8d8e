// Package replay posts archived data to a stream again.
package replay

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/post"
	"github.com/data-sink/data-sink/internal/operate/resume"
)

// Replayer posts the bodies of objects to a stream. What is done is kept in a
// State: a replay that was interrupted goes on there, and one that was killed
// repeats the last few bodies at worst.
type Replayer struct {
	Objects *bucket.Bucket
	// Client posts, so many bodies at once.
	Client      *post.Client
	Concurrency int
	State       *resume.State
	// Into is the stream that gets the bodies.
	Into string
	// By says what of an object becomes a body.
	By By
	// GzipOver is the size from which on a body is compressed on its way; 0 is
	// never. It must be 0 for a raw stream, which would keep it compressed.
	GzipOver int
	// Done, if set, is told of every body that was posted, with the error of one
	// that was not accepted; one call at a time.
	Done func(body []byte, err error)
}

// Object posts what of an object was not posted before, and returns how many
// bodies the API refused. These are tried again the next time. The error is one
// that concerns all bodies, like an interrupt, wrong credentials or an object
// that cannot be read.
func (r *Replayer) Object(ctx context.Context, o bucket.Object) (refused int, err error) {
	if r.State.IsFinished(o.Key) {
		return 0, nil
	}
	w := &work{Replayer: r, key: o.Key}
	var failed error // to keep the state
	err = r.Client.All(ctx, w.bodies(ctx), r.Concurrency, func(out post.Outcome) {
		if out.Err != nil {
			refused++
		} else {
			failed = errors.Join(failed, r.State.Mark(o.Key, w.part(out.Index)))
		}
		if r.Done != nil {
			r.Done(out.Body.Bytes, out.Err)
		}
	})
	if err := errors.Join(err, failed); err != nil {
		return refused, fmt.Errorf("replaying %s: %w", o.Key, err)
	}
	if refused > 0 {
		return refused, nil
	}
	return 0, r.State.Finish(o.Key)
}

// work is the replay of one object.
type work struct {
	*Replayer
	key string

	mu    sync.Mutex
	parts []int // of the object, by the index of post.All
}

func (w *work) part(index int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.parts[index]
}

var errStop = errors.New("stop")

// bodies yields the bodies that are not done.
func (w *work) bodies(ctx context.Context) iter.Seq2[post.Body, error] {
	return func(yield func(post.Body, error) bool) {
		plain, err := w.Objects.OpenPlain(ctx, w.key)
		if err != nil {
			yield(post.Body{}, err)
			return
		}
		defer func() { _ = plain.Close() }()
		part := -1
		err = w.By.Split(plain, func(body []byte) error {
			if part++; w.State.IsDone(w.key, part) {
				return nil
			}
			w.mu.Lock()
			w.parts = append(w.parts, part)
			w.mu.Unlock()
			if !yield(post.Body{Stream: w.Into, Bytes: body, Gzip: w.GzipOver > 0 && len(body) > w.GzipOver}, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(post.Body{}, err)
		}
	}
}
