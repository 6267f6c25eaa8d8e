package bridge

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// batch is successive records of an event that belong to one stream.
type batch struct {
	pack.Batch
	stream  stream.Stream
	records []record
	// parts cover the records in their order, except for records that are empty
	// once framed.
	parts []pack.Part
}

// prepare groups an event into batches. Lambda sends the records of one stream in
// an event. If an event has records of several streams, each run of records of one
// stream is a batch.
func (h *Handler) prepare(w *workspace, event []byte) ([]*batch, error) {
	var err error
	if w.records, err = decode(w.records[:0], event); err != nil {
		return nil, err
	}
	w.reserve(packedLen(w.records))
	var batches []*batch
	for rest := w.records; len(rest) > 0; {
		arn, n := string(rest[0].arn), 1
		for n < len(rest) && string(rest[n].arn) == arn {
			n++
		}
		b := &batch{records: rest[:n]}
		rest = rest[n:]
		if b.stream, err = h.lookup(arn); err != nil {
			return nil, err
		}
		if err := h.pack(w, b); err != nil {
			return nil, fmt.Errorf("packing records of %s: %w", b.stream.Name, err)
		}
		batches = append(batches, b)
	}
	return batches, nil
}

// lookup returns the stream of an ARN, which is the ARN of a Kinesis stream or of
// one of its consumers.
func (h *Handler) lookup(arn string) (stream.Stream, error) {
	_, resource, _ := strings.Cut(arn, ":stream/")
	resource, _, _ = strings.Cut(resource, "/")
	if name, ok := strings.CutPrefix(resource, stream.ResourceName(h.config.Name, "")); ok {
		if s, ok := h.config.Streams.Lookup(name); ok {
			return s, nil
		}
	}
	return stream.Stream{}, fmt.Errorf("looking up %s: not a stream of %s in streams.json", arn, h.config.Name)
}

// pack packs the records into parts, in the memory of w.
func (h *Handler) pack(w *workspace, b *batch) error {
	old := h.config.Now().Add(-sink.DoubtfulAge)
	b.Batch = pack.Batch{
		Firehose: stream.ResourceName(h.config.Name, b.stream.Name), Format: b.stream.Format, Records: len(b.records), AppendBody: b.appendBody,
		IsOld: func(i int) bool { return b.arrivedBefore(old, i) },
	}
	var err error
	w.packed, b.parts, err = b.Parts(w.packed)
	return err
}

// appendBody appends the body of record i to dst.
func (b *batch) appendBody(dst []byte, i int) ([]byte, error) {
	dst, err := base64.StdEncoding.AppendDecode(dst, b.records[i].data)
	if err != nil {
		return nil, fmt.Errorf("record %s: decoding body: %w", b.records[i].sequence, err)
	}
	return dst, nil
}

// shard identifies the shard of the batch's first record.
func (b *batch) shard() string { return b.stream.Name + "/" + b.records[0].shard() }

// arrivedBefore reports whether record i arrived on the tap before t. A record
// without a known time did not.
func (b *batch) arrivedBefore(t time.Time, i int) bool {
	arrived := b.records[i].arrivedAt()
	return !arrived.IsZero() && arrived.Before(t)
}

// packedLen is an upper bound of what packing records appends, in bytes.
func packedLen(records []record) int {
	n := 0
	for i := range records {
		n += base64.StdEncoding.DecodedLen(len(records[i].data)) + len("\n")
	}
	return n
}
