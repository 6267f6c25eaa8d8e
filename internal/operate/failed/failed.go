// Package failed reads the records that the pipeline gave up, in all the forms in
// which they lie in the archive's bucket, and sends them through again:
//
//	failed/drainer/<stream>/…, failed/bridge/<stream>/…   as package archive writes them
//	failed/firehose/<stream>/…                            as Firehose writes them
//	aws/lambda/<mapping id>/…                             as Lambda writes them
//
// An object whose records were sent again has a marker beside it, an object of
// its own under the same key and MarkerSuffix.
package failed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
)

// The stages that give records up, beside those of package archive.
const (
	// StageFirehose is Firehose, which could not write them.
	StageFirehose = "firehose"
	// StageLambda is the event source mapping of the bridge.
	StageLambda = "lambda"
)

// MarkerSuffix ends the keys of markers.
const MarkerSuffix = ".redriven"

// Object is one object of records that were given up.
type Object struct {
	bucket.Object
	// Stage gave the records up.
	Stage string `json:"stage"`
	// Stream is the stream's name; that of a name which streams.json would not
	// allow is escaped.
	Stream string `json:"stream"`
	// Marker says what was sent again; nil when nothing was.
	Marker *Marker `json:"redriven,omitempty"`
}

// Marker is the content of a marker: JSON.
type Marker struct {
	// RedrivenAt is when the last of the object's records was sent again, and
	// Records how many of them are done with.
	RedrivenAt time.Time `json:"redrivenAt"`
	Records    int       `json:"records"`
	// Left are the positions of those that were refused or cannot be sent.
	Left []int `json:"left,omitempty"`
}

// Filter says which objects to look at; the zero value is all.
type Filter struct {
	// Stream is the name of a stream.
	Stream string
	// From and To bound the time when the object was written; a zero one does not.
	From, To time.Time
}

func (f Filter) admits(o Object) bool {
	return (f.Stream == "" || f.Stream == o.Stream) && (f.From.IsZero() || !o.WrittenAt.Before(f.From)) && (f.To.IsZero() || o.WrittenAt.Before(f.To))
}

// List yields the objects of a bucket that a filter admits, by stage and key.
func List(ctx context.Context, b *bucket.Bucket, f Filter) iter.Seq2[Object, error] {
	mappings := make(map[string]string) // streams by mapping id
	return func(yield func(Object, error) bool) {
		for _, prefix := range prefixes(f.Stream) {
			for found, err := range withMarkers(ctx, b, prefix) {
				if err == nil {
					err = found.classify(ctx, b, mappings)
				}
				if err != nil {
					yield(Object{}, err)
					return
				}
				if found.Stage == "" || !f.admits(found) {
					continue
				}
				if found.Marker != nil {
					if found.Marker, err = readMarker(ctx, b, found.Key+MarkerSuffix); err != nil {
						yield(Object{}, err)
						return
					}
				}
				if !yield(found, nil) {
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

// withMarkers yields the objects below a prefix without the markers; Marker is
// not nil for one that has a marker.
func withMarkers(ctx context.Context, b *bucket.Bucket, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		// A marker follows its object, but other objects may stand between.
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

// classify finds stage and stream. Stage stays empty for what is neither.
func (o *Object) classify(ctx context.Context, b *bucket.Bucket, mappings map[string]string) error {
	parts := strings.Split(o.Key, "/")
	switch {
	case len(parts) > 3 && parts[0] == "failed":
		switch parts[1] {
		case archive.StageDrainer, archive.StageBridge, StageFirehose:
			o.Stage, o.Stream = parts[1], parts[2]
		}
	case len(parts) > 3 && strings.HasPrefix(o.Key, lambdaPrefix):
		mapping := parts[2]
		if _, ok := mappings[mapping]; !ok {
			head, err := b.Head(ctx, o.Key, lambdaHead)
			if err != nil {
				return err
			}
			mappings[mapping] = streamOfARN(streamARN.FindString(string(head)))
		}
		o.Stage, o.Stream = StageLambda, mappings[mapping]
	}
	return nil
}

func readMarker(ctx context.Context, b *bucket.Bucket, key string) (*Marker, error) {
	r, err := b.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	content, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	m := new(Marker)
	if err := json.Unmarshal(content, m); err != nil {
		return nil, fmt.Errorf("reading marker %s: %w", key, err)
	}
	return m, nil
}

func (m Marker) encode() ([]byte, error) {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(m); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

var errStop = errors.New("stop")
