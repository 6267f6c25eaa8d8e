// Package archive writes objects straight to the archive: single records that
// cannot take the way through the tap, and under failed/ the records that can
// never be delivered.
//
// Every object is written whole or not at all. A key holds nothing of unknown
// origin unescaped, so no name can leave the folder that it belongs to.
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
	// Put writes one object, whole or not at all; an object that has the key
	// already is replaced. It does not keep body after it returns.
	Put(ctx context.Context, key string, body []byte) error
	// Check reports why a Put could not work now.
	Check(ctx context.Context) error
}

// Archive writes records into a Store under the keys of this project. It is safe
// for concurrent use.
type Archive struct {
	store      Store
	deployment string
}

// New returns the archive of a deployment, whose name stands in errors.
func New(store Store, deployment string) *Archive {
	return &Archive{store: store, deployment: deployment}
}

// Reason says why a record was written straight to the archive; it stands in the
// object's name.
type Reason string

const (
	// Oversize is a body over the record limit of the tap.
	Oversize Reason = "oversize"
	// Fallback is a record that the queue did not take.
	Fallback Reason = "fallback"
	// Overflow is a record past the bound on its stream's backlog.
	Overflow Reason = "overflow"
)

// Put writes r as an object of its own and returns its key,
//
//	<stream>/dt=YYYY-MM-DD/hour=HH/<reason>-<id><suffix>
//
// with the UTC hour of r.ReceivedAt. The object is the body framed as the
// stream's format says, compressed as the stream says. The key depends on
// nothing else, so a Put may be repeated. It fails when the store does, and for
// a stream, reason or id that cannot stand in a key.
func (a *Archive) Put(ctx context.Context, s stream.Stream, r envelope.Record, why Reason) (key string, err error) {
	if s.Name == "" || s.Name != escape(s.Name) {
		return "", fmt.Errorf("archiving record: stream name %q cannot stand in a key", s.Name)
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
	return key, a.put(ctx, key, body)
}

// Check reports why the archive could not take an object now; nil when it could.
func (a *Archive) Check(ctx context.Context) error {
	if err := a.store.Check(ctx); err != nil {
		return fmt.Errorf("checking the archive of %s: %w", a.deployment, err)
	}
	return nil
}

func (a *Archive) put(ctx context.Context, key string, body []byte) error {
	if err := a.store.Put(ctx, key, body); err != nil {
		return fmt.Errorf("writing %s to the archive of %s: %w", key, a.deployment, err)
	}
	return nil
}

// compressors are kept, for each holds tables of several hundred kilobytes. The
// fastest level: a client waits for this.
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
