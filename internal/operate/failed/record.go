package failed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/klauspost/compress/gzip"
)

// ErrMalformed is the error of an object that does not have the form of its stage.
var ErrMalformed = errors.New("malformed")

// Record is one dead letter. If Firehose wrote it, the stage is StageFirehose and the
// body is a packed record: one or many bodies, framed as in an object. If the event
// source mapping wrote it, the stage is StageLambda and the id is the shard and the sequence number.
// The times may be unknown.
type Record = archive.DeadLetter

// unsendable returns the reason why a record can never be sent; empty for none.
func unsendable(r Record) string {
	switch {
	case r.Envelope != nil:
		return SkippedUndecodable
	case len(r.Body) == 0:
		return SkippedEmpty
	}
	return ""
}

var errStop = errors.New("stop")

// Records yields the records of an object, in order. The error of an object that
// was read and cannot be parsed is ErrMalformed.
func Records(ctx context.Context, b *bucket.Bucket, o Object) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		stored, err := b.Open(ctx, o.Key)
		if err != nil {
			yield(Record{}, err)
			return
		}
		defer func() { _ = stored.Close() }()
		source := &source{r: stored}
		err = parse(o, source, func(r Record) error {
			if !yield(r, nil) {
				return errStop
			}
			return nil
		})
		switch {
		case err == nil, errors.Is(err, errStop):
		case source.err != nil:
			yield(Record{}, fmt.Errorf("reading %s: %w", o.Key, source.err))
		default:
			yield(Record{}, fmt.Errorf("reading %s: %w: %w", o.Key, ErrMalformed, err))
		}
	}
}

// source keeps the error with which reading failed.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func parse(o Object, stored io.Reader, each func(Record) error) error {
	// Firehose may compress its dead letters too.
	buffered := bufio.NewReader(stored)
	var r io.Reader = buffered
	if magic, err := buffered.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return err
		}
		r = z
	}
	switch o.Stage {
	case StageFirehose:
		return parseFirehose(r, o.Stream, each)
	case StageLambda:
		return parseLambda(r, each)
	}
	return archive.ReadDeadLetters(r, func(r Record) error {
		// The command may be newer than the drainer that could not decode the envelope.
		e, err := envelope.Decode(r.Envelope)
		if r.Envelope != nil && err == nil {
			r.ID, r.PartitionKey, r.ReceivedAt, r.Body, r.Envelope = e.ID, e.PartitionKey, e.ReceivedAt, e.Body, nil
		}
		return each(r)
	})
}
