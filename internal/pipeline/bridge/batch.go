package bridge

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// batch is successive records of an event that belong to one stream.
type batch struct {
	stream  stream.Stream
	records []record
	// parts cover the records in their order, except for records that are empty
	// once framed.
	parts []part
}

// part is the records [First, End) of a batch, which are delivered together as one
// Firehose record.
type part struct {
	pack.Packed
	outcome outcome
	// reason is why the part is refused or doubtful.
	reason string
}

// outcome is what became of a part.
type outcome int

const (
	left      outcome = iota // not known to be delivered
	delivered                // Firehose accepted it
	refused                  // Firehose never accepts it: its records are dead letters
	doubtful                 // refused in a call that may itself be at fault, see sink.Result
)

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
		if err := b.pack(w); err != nil {
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
	if name, ok := strings.CutPrefix(resource, stream.ResourceName(h.config.Deployment, "")); ok {
		if s, ok := h.config.Streams.Lookup(name); ok {
			return s, nil
		}
	}
	return stream.Stream{}, fmt.Errorf("looking up %s: not a stream of %s in streams.json", arn, h.config.Deployment)
}

// pack packs the records into parts, in the memory of w. A record over the limit is
// a part of its own, which is refused.
func (b *batch) pack(w *workspace) error {
	dst, packs, oversize, err := pack.Pack(w.packed, b.stream.Format, len(b.records), b.appendBody)
	if err != nil {
		return err
	}
	w.packed = dst
	for _, p := range packs {
		b.parts = append(b.parts, part{Packed: p})
	}
	for _, i := range oversize {
		reason := fmt.Sprintf("over the limit of %d bytes when framed", stream.MaxFramedBytes)
		b.parts = append(b.parts, part{Packed: pack.Packed{First: i, End: i + 1}, outcome: refused, reason: reason})
	}
	slices.SortFunc(b.parts, func(a, b part) int { return a.First - b.First })
	return nil
}

// split returns a part for each record of p. Records that are empty once framed
// have none.
func (b *batch) split(p part) ([]part, error) {
	var parts []part
	for i := p.First; i < p.End; i++ {
		_, packs, _, err := pack.Pack(nil, b.stream.Format, 1, func(dst []byte, _ int) ([]byte, error) { return b.appendBody(dst, i) })
		if err != nil {
			return nil, err
		}
		for _, one := range packs {
			parts = append(parts, part{Packed: pack.Packed{First: i, End: i + 1, Body: one.Body}})
		}
	}
	return parts, nil
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

// arrivedBefore reports whether all records of p arrived on the tap before t.
// Records without a known time did not.
func (b *batch) arrivedBefore(t time.Time, p part) bool {
	return !slices.ContainsFunc(b.records[p.First:p.End], func(r record) bool {
		arrived := r.arrivedAt()
		return arrived.IsZero() || !arrived.Before(t)
	})
}

// packedLen is an upper bound of what packing records appends, in bytes.
func packedLen(records []record) int {
	n := 0
	for i := range records {
		n += base64.StdEncoding.DecodedLen(len(records[i].data)) + len("\n")
	}
	return n
}
