// Package replay posts archived data to a stream again.
//
// An object that was replayed completely gets a marker in the bucket, so that
// every operator knows of it:
//
//	_replayed/<into>/<key of the object>
package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/post"
	"github.com/data-sink/data-sink/internal/operate/resume"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
)

// Replayer posts the bodies of objects to a stream. The progress within an object
// is kept in a State: an interrupted replay continues there, and a killed replay
// repeats at most the last few bodies.
type Replayer struct {
	// Objects is the bucket, to which Store writes the markers.
	Objects *bucket.Bucket
	Store   store
	// Client posts the bodies, Concurrency of them at once.
	Client      *post.Client
	Concurrency int
	State       *resume.State
	// Into is the stream that gets the bodies.
	Into string
	// By says which part of an object becomes a body.
	By By
	// HoldsGzip says that the archive does not compress the objects, although their
	// names end in ".gz": the bodies are gzip members.
	HoldsGzip bool
	// GzipOver is the size in bytes above which a body is compressed in the request;
	// 0 is never. It must be 0 for a raw stream, which would store the body
	// compressed.
	GzipOver int
	// Done, if set, is called for every body that was posted, with the reason if it
	// was not accepted; one call at a time.
	Done func(body []byte, err error)
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

type store interface {
	Put(ctx context.Context, key string, body []byte) error
}

// Marker is the content of a marker: a JSON object.
type Marker struct {
	ReplayedAt time.Time `json:"replayedAt"`
	// By says which part of the object became a body, Bodies how many there were.
	By     By  `json:"by"`
	Bodies int `json:"bodies"`
}

// markerFolder is the folder of all markers, at the root of the bucket.
const markerFolder = "_replayed/"

// Replayed returns the keys of the objects of a stream that have a marker for a
// replay into another stream, for the hours of a period.
func Replayed(ctx context.Context, b *bucket.Bucket, stream, into string, from, to time.Time) (map[string]bool, error) {
	folder := markerFolder + into + "/"
	keys := make(map[string]bool)
	for o, err := range b.Hours(ctx, folder+stream+"/", from, to) {
		if err != nil {
			return nil, err
		}
		keys[strings.TrimPrefix(o.Key, folder)] = true
	}
	return keys, nil
}

// Object posts the bodies of an object that were not posted before, and returns
// the number of bodies that the API refused. They are tried again the next time.
// If no body was refused, the object gets a marker. The error concerns all bodies,
// such as an interrupt, wrong credentials or an object that cannot be read.
func (r *Replayer) Object(ctx context.Context, o bucket.Object) (refused int, err error) {
	if r.State.IsFinished(o.Key) {
		return 0, nil
	}
	w := &work{Replayer: r, key: o.Key, by: r.By}
	if r.By == Lines && bucket.Direct(o.Key) == archive.Oversize {
		w.by = Whole // The object is one record, which is too large for the tap.
	}
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
	if err := w.mark(ctx); err != nil {
		return 0, err
	}
	return 0, r.State.Finish(o.Key)
}

// work is the replay of one object.
type work struct {
	*Replayer
	key string
	by  By

	mu    sync.Mutex // guards the fields below
	parts []int      // of the object, by the index of post.All
	total int
}

func (w *work) part(index int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.parts[index]
}

var errStop = errors.New("stop")

// bodies yields the bodies that were not posted before.
func (w *work) bodies(ctx context.Context) iter.Seq2[post.Body, error] {
	return func(yield func(post.Body, error) bool) {
		open := w.Objects.OpenPlain
		if w.HoldsGzip && (w.By == Member || w.By == Whole) {
			open = w.Objects.Open
		}
		content, err := open(ctx, w.key)
		if err != nil {
			yield(post.Body{}, err)
			return
		}
		defer func() { _ = content.Close() }()
		part := -1
		err = w.by.Split(content, func(body []byte) error {
			part++
			if w.take(part) && !yield(w.body(body), nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(post.Body{}, err)
		}
	}
}

// take notes a part, and reports whether it is to be posted.
func (w *work) take(part int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.total = part + 1
	if w.State.IsDone(w.key, part) {
		return false
	}
	w.parts = append(w.parts, part)
	return true
}

// body returns the request for a part. A gzip member is already encoded.
func (w *work) body(b []byte) post.Body {
	if w.by == Member {
		return post.Body{Stream: w.Into, Bytes: b, Encoding: "gzip"}
	}
	return post.Body{Stream: w.Into, Bytes: b, Gzip: w.GzipOver > 0 && len(b) > w.GzipOver}
}

// mark writes the marker.
func (w *work) mark(ctx context.Context) error {
	now := time.Now
	if w.Now != nil {
		now = w.Now
	}
	content, err := json.Marshal(Marker{ReplayedAt: now().UTC(), By: w.by, Bodies: w.total})
	if err == nil {
		err = w.Store.Put(ctx, markerFolder+w.Into+"/"+w.key, append(content, '\n'))
	}
	if err != nil {
		return fmt.Errorf("marking %s: %w", w.key, err)
	}
	return nil
}
