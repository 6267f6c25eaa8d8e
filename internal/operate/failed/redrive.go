package failed

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/post"
	"github.com/data-sink/data-sink/internal/operate/resume"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
)

// Redriver sends the records of objects through the API again.
//
// An object that is done with gets a marker, and is passed over from then on, by
// anybody. What is done of an object before that is kept in a State: a redrive
// that was interrupted goes on there, and one that was killed repeats the last
// few records at worst.
type Redriver struct {
	// Objects is the bucket, to which Store writes the markers.
	Objects *bucket.Bucket
	Store   archive.Store
	// Client posts, so many records at once.
	Client      *post.Client
	Concurrency int
	State       *resume.State
	// Into is a stream that gets all records instead of each its own.
	Into string
	// Again sends also what was sent before.
	Again bool
	// DryRun sends and marks nothing; Done is told of what would be sent.
	DryRun bool
	// Delivered reports whether a record is in the archive all the same; nil is
	// no. It is asked for records that the mapping gave up: of a batch that failed
	// every time, the end may have been delivered.
	Delivered func(ctx context.Context, o Object, r Record) (bool, error)
	// Done, if set, is told of every record, one call at a time.
	Done func(Record, Result)
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Result is what became of a record.
type Result struct {
	// Skipped says why a record was not sent; empty for one that was.
	Skipped string
	// Err is why it was not accepted.
	Err error
}

// Reasons for which a record is not sent.
const (
	SkippedBefore      = "sent before"
	SkippedDelivered   = "delivered all the same"
	SkippedUndecodable = "cannot be decoded"
	SkippedEmpty       = "has no bytes"
)

// Redrive sends the records of one object, but for those that were sent before,
// and marks the object. The error is one that concerns all records, like an
// interrupt or wrong credentials: one record that is refused is no such error,
// and is left for the next time.
func (r *Redriver) Redrive(ctx context.Context, o Object) error {
	if o.Marker != nil && len(o.Marker.Left) == 0 && !r.Again {
		return nil
	}
	w := &work{Redriver: r, object: o}
	if r.DryRun {
		return w.count(ctx)
	}
	var failed error // to keep the state
	err := r.Client.All(ctx, w.bodies(ctx), r.Concurrency, func(out post.Outcome) {
		failed = errors.Join(failed, w.outcome(out))
	})
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	return w.mark(ctx)
}

// work is the redrive of one object.
type work struct {
	*Redriver
	object Object

	mu      sync.Mutex // guards what follows, and the calls of Done
	sending []sending  // by the index of post.All
	records int
	left    []int
}

// sending is a record with its position in the object.
type sending struct {
	record Record
	index  int
}

// bodies yields what is to be sent.
func (w *work) bodies(ctx context.Context) iter.Seq2[post.Body, error] {
	return func(yield func(post.Body, error) bool) {
		index := -1
		for record, err := range Records(ctx, w.Objects, w.object) {
			if err != nil {
				yield(post.Body{}, err)
				return
			}
			index++
			sends, err := w.take(ctx, record, index)
			if err != nil {
				yield(post.Body{}, err)
				return
			}
			if !sends {
				continue
			}
			stream := record.Stream
			if w.Into != "" {
				stream = w.Into
			}
			if !yield(post.Body{Stream: stream, PartitionKey: record.PartitionKey, Bytes: record.Body}, nil) {
				return
			}
		}
	}
}

// count tells what would be sent.
func (w *work) count(ctx context.Context) error {
	for _, err := range w.bodies(ctx) {
		if err != nil {
			return err
		}
		w.tell(w.sending[0].record, Result{})
		w.sending = w.sending[:0]
	}
	return nil
}

// take notes the next record, and reports whether it is to be sent.
func (w *work) take(ctx context.Context, record Record, index int) (bool, error) {
	why, err := w.skip(ctx, record, index)
	if err != nil {
		return false, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records++
	switch why {
	case "":
		w.sending = append(w.sending, sending{record, index})
		return true, nil
	case SkippedUndecodable, SkippedEmpty:
		w.left = append(w.left, index)
	}
	w.tell(record, Result{Skipped: why})
	return false, nil
}

// outcome notes what became of a record.
func (w *work) outcome(out post.Outcome) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.sending[out.Index]
	w.sending[out.Index].record = Record{} // its bytes are not needed any more
	w.tell(at.record, Result{Err: out.Err})
	if out.Err != nil {
		w.left = append(w.left, at.index)
		return nil
	}
	return w.State.Mark(w.object.Key, at.index)
}

func (w *work) tell(record Record, result Result) {
	if w.Done != nil {
		w.Done(record, result)
	}
}

// skip says why a record is not to be sent.
func (w *work) skip(ctx context.Context, record Record, index int) (string, error) {
	switch {
	case !w.Again && w.State.IsDone(w.object.Key, index):
		return SkippedBefore, nil
	case !w.Again && w.object.Marker != nil && !slices.Contains(w.object.Marker.Left, index):
		return SkippedBefore, nil
	case record.Envelope != nil:
		return SkippedUndecodable, nil
	case len(record.Body) == 0:
		return SkippedEmpty, nil
	case record.Stage != StageLambda || w.Delivered == nil || w.Again:
		return "", nil
	}
	delivered, err := w.Delivered(ctx, w.object, record)
	if err != nil {
		return "", fmt.Errorf("looking for record %s in the bridge's log: %w", record.ID, err)
	}
	if delivered {
		return SkippedDelivered, nil
	}
	return "", nil
}

// mark writes the marker, unless nothing was accepted.
func (w *work) mark(ctx context.Context) error {
	if len(w.left) == w.records && w.records > 0 {
		return nil
	}
	slices.Sort(w.left)
	content, err := Marker{RedrivenAt: w.now(), Records: w.records - len(w.left), Left: w.left}.encode()
	if err == nil {
		err = w.Store.Put(ctx, w.object.Key+MarkerSuffix, content)
	}
	if err != nil {
		return fmt.Errorf("marking %s: %w", w.object.Key, err)
	}
	if len(w.left) == 0 {
		return w.State.Finish(w.object.Key)
	}
	return nil
}

func (r *Redriver) now() time.Time {
	if r.Now == nil {
		return time.Now().UTC()
	}
	return r.Now().UTC()
}
