// Package archive writes the objects that do not come from Firehose: direct
// records, which bypass the tap, and dead letters under failed/.
//
// Every object is written completely or not at all. Names from outside are
// escaped before they become part of a key, so no name can leave its folder.
package archive

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/klauspost/compress/gzip"
)

// Store holds objects by key. Its methods are safe for concurrent use.
type Store interface {
	// Put writes one object completely or not at all. It replaces an object with
	// the same key. It does not retain body after it returns.
	Put(ctx context.Context, key string, body []byte) error
	// Create is like Put, but it does not replace an object with the same key. If
	// the object exists, Create returns nil. While another Create of the key is in
	// progress, Create may wait until ctx ends.
	Create(ctx context.Context, key string, body []byte) error
	// Check returns the reason why a Put would fail now, or nil.
	Check(ctx context.Context) error
}

// Archive writes direct records and dead letters into a Store. It is safe for
// concurrent use.
type Archive struct {
	store      Store
	deployment string
}

// New returns the archive of a deployment. The deployment's name appears in
// errors.
func New(store Store, deployment string) *Archive {
	return &Archive{store: store, deployment: deployment}
}

// Reason is the reason why a record became a direct record. It is the first part
// of the object's name.
type Reason string

const (
	// Oversize means that the framed body exceeds the record limit of the tap.
	Oversize Reason = "oversize"
	// Fallback means that the queue did not accept the record.
	Fallback Reason = "fallback"
	// Overflow means that the stream's backlog has reached its bound.
	Overflow Reason = "overflow"
)

// Put writes r as a direct record and returns the key of its object,
//
//	<stream>/dt=YYYY-MM-DD/hour=HH/<reason>-<id><suffix>
//
// with the UTC hour of r.ReceivedAt. The object holds the body, framed and
// compressed as the stream's options say. The key depends on nothing else, so a
// Put can be repeated: an existing object is kept. Put returns an error if the
// store fails, or if the stream's name, the reason or the id is not a valid part of
// a key.
func (a *Archive) Put(ctx context.Context, s stream.Stream, r envelope.Record, why Reason) (key string, err error) {
	if s.Name == "" || s.Name != escape(s.Name) {
		return "", fmt.Errorf("archiving record: stream name %q is not a valid part of a key", s.Name)
	}
	name := string(why) + "-" + r.ID
	if err := checkName(name); err != nil {
		return "", fmt.Errorf("archiving record of %s: %w", s.Name, err)
	}
	body := r.Body
	if s.Format.FramedLen(body) != len(body) {
		body = s.Format.AppendFramed(make([]byte, 0, s.Format.FramedLen(body)), body)
	}
	if s.Compression == stream.Gzip {
		if body, err = compress(body); err != nil {
			return "", fmt.Errorf("compressing record of %s: %w", s.Name, err)
		}
	}
	key = s.Folder(r.ReceivedAt) + name + s.Suffix()
	if err := a.store.Create(ctx, key, body); err != nil {
		return "", a.writing(key, err)
	}
	return key, nil
}

// Check returns the reason why the archive would refuse an object now, or nil.
func (a *Archive) Check(ctx context.Context) error {
	if err := a.store.Check(ctx); err != nil {
		return fmt.Errorf("checking the archive of %s: %w", a.deployment, err)
	}
	return nil
}

func (a *Archive) writing(key string, err error) error {
	return fmt.Errorf("writing %s to the archive of %s: %w", key, a.deployment, err)
}

// compressors are pooled because each has tables of several hundred kilobytes.
// They use the fastest level because a client waits for the result.
var compressors = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

func compress(b []byte) ([]byte, error) {
	w := compressors.Get().(*gzip.Writer)
	defer compressors.Put(w)
	var out bytes.Buffer
	w.Reset(&out)
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
