// Package failed reads dead letters, in every form in which they lie in the
// archive's bucket, and sends them through the pipeline again:
//
//	failed/drainer/<stream>/…, failed/bridge/<stream>/…   as package archive writes them
//	failed/firehose/<stream>/…                            as Firehose writes them
//	aws/lambda/<mapping id>/…                             as Lambda writes them
//
// An object whose records were sent again or discarded has a marker in the bucket:
//
//	_redriven/<key of the object>
//
// Older versions wrote the marker beside the object, with the same key and
// MarkerSuffix. List reads those markers too.
package failed

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
)

// The stages that produce dead letters, beside the stages of package archive.
const (
	// StageFirehose is Firehose, which could not write the records.
	StageFirehose = "firehose"
	// StageLambda is the event source mapping of the bridge, which gave up a batch.
	StageLambda = "lambda"
)

// Object is one object of dead letters.
type Object struct {
	bucket.Object
	// Stage is the stage that produced the dead letters.
	Stage string `json:"stage"`
	// Stream is the stream's name. A name that streams.json does not allow is
	// escaped.
	Stream string `json:"stream"`
	// Marker says which records were sent again or discarded; nil for none.
	Marker *Marker `json:"redriven,omitempty"`
}

// Filter selects objects. The zero value selects all.
type Filter struct {
	// Stream is the name of a stream.
	Stream string
	// From and To bound the time at which the object was written. A zero time is no
	// bound.
	From, To time.Time
}

func (f Filter) admits(o Object) bool {
	if f.Stream != "" && f.Stream != o.Stream {
		return false
	}
	return (f.From.IsZero() || !o.WrittenAt.Before(f.From)) && (f.To.IsZero() || o.WrittenAt.Before(f.To))
}

// List yields the objects of a bucket that a filter selects, by stage and key. An
// error together with the key of an object concerns that object alone, and List
// continues. Any other error is the last element.
func List(ctx context.Context, b *bucket.Bucket, f Filter) iter.Seq2[Object, error] {
	mappings := make(map[string]string) // streams by mapping id
	return func(yield func(Object, error) bool) {
		for _, prefix := range prefixes(f.Stream) {
			marked, err := markedKeys(ctx, b, prefix)
			if err != nil {
				yield(Object{}, err)
				return
			}
			for found, err := range withMarkers(ctx, b, prefix) {
				if err != nil {
					yield(Object{}, err)
					return
				}
				err = found.classify(ctx, b, mappings)
				if err == nil && (found.Stage == "" || !f.admits(found)) {
					continue
				}
				switch {
				case err != nil:
				case marked[found.Key]:
					found.Marker, err = readMarker(ctx, b, markerFolder+found.Key)
				case found.Marker != nil:
					found.Marker, err = readMarker(ctx, b, found.Key+MarkerSuffix)
				}
				if !yield(found, err) || ctx.Err() != nil {
					return
				}
			}
		}
	}
}

const lambdaPrefix = "aws/lambda/"

func prefixes(stream string) []string {
	if stream == "" {
		return []string{"failed/", lambdaPrefix}
	}
	return []string{
		archive.DeadLetterPrefix(archive.StageBridge, stream), archive.DeadLetterPrefix(archive.StageDrainer, stream),
		archive.DeadLetterPrefix(StageFirehose, stream), lambdaPrefix,
	}
}

// withMarkers yields the objects below a prefix, without the markers of older
// versions. Marker is not nil for an object that has such a marker.
func withMarkers(ctx context.Context, b *bucket.Bucket, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		// A marker follows its object in the listing, but other objects may come
		// between the two.
		var waiting []Object
		for o, err := range b.List(ctx, prefix) {
			if err != nil {
				yield(Object{}, err)
				return
			}
			if marked, ok := strings.CutSuffix(o.Key, MarkerSuffix); ok {
				for i := range waiting {
					if waiting[i].Key == marked {
						waiting[i].Marker = &Marker{}
					}
				}
				continue
			}
			for len(waiting) > 0 && !strings.HasPrefix(o.Key, waiting[0].Key) {
				if !yield(waiting[0], nil) {
					return
				}
				waiting = waiting[1:]
			}
			waiting = append(waiting, Object{Object: o})
		}
		for _, o := range waiting {
			if !yield(o, nil) {
				return
			}
		}
	}
}

// classify sets Stage and Stream. Stage stays empty for an object that is not an
// object of dead letters.
func (o *Object) classify(ctx context.Context, b *bucket.Bucket, mappings map[string]string) error {
	parts := strings.Split(o.Key, "/")
	switch {
	case len(parts) > 3 && parts[0] == "failed":
		switch parts[1] {
		case archive.StageDrainer, archive.StageBridge, StageFirehose:
			o.Stage, o.Stream = parts[1], parts[2]
		}
	case len(parts) > 3 && strings.HasPrefix(o.Key, lambdaPrefix):
		o.Stage = StageLambda
		mapping := parts[2]
		if _, ok := mappings[mapping]; !ok {
			head, err := b.Head(ctx, o.Key, lambdaHead)
			if err != nil {
				return err
			}
			mappings[mapping] = streamOfARN(streamARN.FindString(string(head)))
		}
		o.Stream = mappings[mapping]
	}
	return nil
}
