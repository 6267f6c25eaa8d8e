package failed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/klauspost/compress/gzip"
)

// ErrMalformed is the error of an object that does not have the form of its stage.
var ErrMalformed = errors.New("malformed")

// Record is one dead letter.
type Record struct {
	Stage  string `json:"stage"`
	Stream string `json:"stream"`
	// Reason says why the record is a dead letter.
	Reason string `json:"reason"`
	// FailedAt is when the record became a dead letter, ReceivedAt when ingest or
	// Kinesis received it. Either may be unknown.
	FailedAt   time.Time `json:"failedAt,omitzero"`
	ReceivedAt time.Time `json:"receivedAt,omitzero"`
	// ID is the record's id, or its shard and sequence number on the tap.
	ID           string `json:"id,omitempty"`
	PartitionKey string `json:"partitionKey,omitempty"`
	// Body is the record's body. For a dead letter of Firehose it is a packed record:
	// one or many bodies, framed as in an object.
	Body []byte `json:"body,omitzero"`
	// Envelope is set instead of Body if the envelope cannot be decoded.
	Envelope []byte `json:"envelope,omitzero"`
}

// unsendable returns the reason why a record can never be sent; empty for none.
func (r Record) unsendable() string {
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
	return archive.ReadDeadLetters(r, func(d archive.DeadLetter) error {
		return each(recordOf(d))
	})
}

func recordOf(a archive.DeadLetter) Record {
	r := Record{
		Stage: a.Stage, Stream: a.Stream, Reason: a.Reason, FailedAt: a.FailedAt, ReceivedAt: a.ReceivedAt,
		ID: a.ID, PartitionKey: a.PartitionKey, Body: a.Body, Envelope: a.Envelope,
	}
	if a.Envelope == nil {
		return r
	}
	// The command may be newer than the drainer that could not decode the envelope.
	if e, err := envelope.Decode(a.Envelope); err == nil {
		r.ID, r.PartitionKey, r.ReceivedAt, r.Body, r.Envelope = e.ID, e.PartitionKey, e.ReceivedAt, e.Body, nil
	}
	return r
}
