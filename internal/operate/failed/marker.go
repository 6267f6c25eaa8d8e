package failed

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
)

// markerFolder is the folder of all markers, at the root of the bucket. It is outside
// the folders of dead letters, because an alarm counts the writes to some of those.
const markerFolder = "_redriven/"

// MarkerSuffix is the end of the keys of the markers that older versions wrote.
const MarkerSuffix = ".redriven"

// Marker is the content of a marker: a JSON object.
type Marker struct {
	// RedrivenAt is when the last of the object's records was sent again.
	RedrivenAt time.Time `json:"redrivenAt,omitzero"`
	// Into is the stream that got the records; empty for their own streams.
	Into string `json:"into,omitempty"`
	// Records is the number of records that were sent again.
	Records int `json:"records"`
	// Left are the positions of the records that were refused or cannot be sent.
	Left []int `json:"left,omitempty"`
	// Discarded says which records will never be sent; nil for none.
	Discarded *Discarded `json:"discarded,omitempty"`
}

// Discarded says which records of an object an operator has given up, and why.
type Discarded struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
	// Records are the positions of the records. All is set for an object that cannot
	// be read.
	Records []int `json:"records,omitempty"`
	All     bool  `json:"all,omitempty"`
}

// IsDone reports whether nothing of the object is left to send or to discard. A
// nil marker is not done.
func (m *Marker) IsDone() bool { return m != nil && len(m.Left) == 0 }

// IsDoneInto reports whether a redrive into a stream has nothing left to send.
func (m *Marker) IsDoneInto(into string) bool {
	return m.IsDone() && (m.Into == into || m.Discarded != nil && m.Discarded.All)
}

// hasSent reports whether the record at a position was sent into a stream.
func (m *Marker) hasSent(into string, position int) bool {
	return m != nil && m.Into == into && !m.RedrivenAt.IsZero() && !slices.Contains(m.Left, position) && !m.hasDiscarded(position)
}

func (m *Marker) hasDiscarded(position int) bool {
	return m != nil && m.Discarded != nil && (m.Discarded.All || slices.Contains(m.Discarded.Records, position))
}

// markedKeys returns the keys of the objects below a prefix that have a marker in
// markerFolder.
func markedKeys(ctx context.Context, b *bucket.Bucket, prefix string) (map[string]bool, error) {
	keys := make(map[string]bool)
	for o, err := range b.List(ctx, markerFolder+prefix) {
		if err != nil {
			return nil, err
		}
		keys[strings.TrimPrefix(o.Key, markerFolder)] = true
	}
	return keys, nil
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

// store writes markers.
type store interface {
	Put(ctx context.Context, key string, body []byte) error
}

// put writes the marker of an object.
func (m *Marker) put(ctx context.Context, s store, object string) error {
	var b bytes.Buffer
	err := json.NewEncoder(&b).Encode(m)
	if err == nil {
		err = s.Put(ctx, markerFolder+object, b.Bytes())
	}
	if err != nil {
		return fmt.Errorf("marking %s: %w", object, err)
	}
	return nil
}
