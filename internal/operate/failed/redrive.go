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
)

// Redriver posts the records of dead-letter objects to the API.
//
// An object whose records were sent gets a marker, and every later redrive into
// the same stream skips it. The progress within an object is kept in a State: an
// interrupted redrive continues there, and a killed redrive repeats at most the
// last few records.
type Redriver struct {
	// Objects is the bucket, to which Store writes the markers.
	Objects *bucket.Bucket
	Store   store
	// Client posts the records, Concurrency of them at once.
	Client      *post.Client
	Concurrency int
	State       *resume.State
	// Into is a stream that gets all records. If it is empty, each record goes to its
	// own stream.
	Into string
	// Again sends also the records that were sent before. The State must be a State
	// of this repetition, which remembers what it has sent.
	Again bool
	// DryRun calls Done for the records that would be sent, without sending or
	// marking them.
	DryRun bool
	// Delivered reports whether a record reached Firehose although it is a dead
	// letter; nil is never. It is called for records that the mapping gave up: the
	// end of a batch that failed every time may have been delivered.
	Delivered func(ctx context.Context, o Object, r Record) (bool, error)
	// Done, if set, is called for every record, one call at a time.
	Done func(Record, Result)
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Result is the result for one record.
type Result struct {
	// Skipped says why the record was not sent; empty for a record that was.
	Skipped string
	// Err is the reason why the record was not accepted.
	Err error
}

// Reasons for which a record is not sent.
const (
	SkippedBefore      = "sent before"
	SkippedDelivered   = "delivered all the same"
	SkippedUndecodable = "cannot be decoded"
	SkippedEmpty       = "has no bytes"
	SkippedDiscarded   = "discarded"
)

// Redrive sends the records of one object that were not sent before, and marks the
// object. Its error concerns the object or all records, such as an interrupt or
// wrong credentials. A record that the API refuses is not an error; it is left for
// the next redrive.
func (r *Redriver) Redrive(ctx context.Context, o Object) error {
	if o.Marker.IsDoneInto(r.Into) && !r.Again || r.Again && r.State.IsFinished(o.Key) {
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

	mu      sync.Mutex // guards the fields below, and the calls of Done
	sending []sending  // by the index of post.All
	records int        // without the discarded records
	left    []int
}

// sending is a record with its position in the object.
type sending struct {
	record   Record
	position int
}

// bodies yields the bodies to send.
func (w *work) bodies(ctx context.Context) iter.Seq2[post.Body, error] {
	return func(yield func(post.Body, error) bool) {
		position := -1
		for record, err := range Records(ctx, w.Objects, w.object) {
			if err != nil {
				yield(post.Body{}, err)
				return
			}
			position++
			sends, err := w.take(ctx, record, position)
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

// count calls Done for each record that would be sent.
func (w *work) count(ctx context.Context) error {
	for _, err := range w.bodies(ctx) {
		if err != nil {
			return err
		}
		w.report(w.sending[0].record, Result{})
		w.sending = w.sending[:0]
	}
	return nil
}

// take notes the next record, and reports whether it is to be sent.
func (w *work) take(ctx context.Context, record Record, position int) (bool, error) {
	why, err := w.skip(ctx, record, position)
	if err != nil {
		return false, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if why != SkippedDiscarded {
		w.records++
	}
	switch why {
	case "":
		w.sending = append(w.sending, sending{record, position})
		return true, nil
	case SkippedUndecodable, SkippedEmpty:
		w.left = append(w.left, position)
	}
	w.report(record, Result{Skipped: why})
	return false, nil
}

// outcome notes the result of a record that was posted.
func (w *work) outcome(out post.Outcome) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.sending[out.Index]
	w.sending[out.Index].record = Record{} // its bytes are not needed any more
	w.report(at.record, Result{Err: out.Err})
	if out.Err != nil {
		w.left = append(w.left, at.position)
		return nil
	}
	return w.State.Mark(w.object.Key, at.position)
}

func (w *work) report(record Record, result Result) {
	if w.Done != nil {
		w.Done(record, result)
	}
}

// skip returns the reason why a record is not sent; empty for none.
func (w *work) skip(ctx context.Context, record Record, position int) (string, error) {
	switch {
	case w.object.Marker.hasDiscarded(position):
		return SkippedDiscarded, nil
	case w.State.IsDone(w.object.Key, position), !w.Again && w.object.Marker.hasSent(w.Into, position):
		return SkippedBefore, nil
	case unsendable(record) != "":
		return unsendable(record), nil
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

// mark writes the marker, unless no record was accepted.
func (w *work) mark(ctx context.Context) error {
	if len(w.left) == w.records && w.records > 0 {
		return nil
	}
	slices.Sort(w.left)
	m := Marker{RedrivenAt: w.now(), Into: w.Into, Records: w.records - len(w.left), Left: w.left}
	if w.object.Marker != nil {
		m.Discarded = w.object.Marker.Discarded
	}
	if err := m.put(ctx, w.Store, w.object.Key); err != nil {
		return err
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
