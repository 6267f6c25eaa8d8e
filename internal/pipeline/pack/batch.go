package pack

import (
	"context"
	"fmt"
	"slices"

	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Batch is successive records of one stream on their way to its Firehose.
type Batch struct {
	// Firehose is the AWS name of the stream's Firehose.
	Firehose string
	// Format is the format of the stream.
	Format stream.Format
	// Records is the number of records.
	Records int
	// AppendBody appends the body of record i to dst.
	AppendBody func(dst []byte, i int) ([]byte, error)
	// IsOld reports whether the age of record i is at least sink.DoubtfulAge.
	IsOld func(i int) bool
}

// Part is one Firehose record of a batch, and what became of it.
type Part struct {
	Packed
	Outcome Outcome
	// Reason is why the part is refused or doubtful.
	Reason string
}

// Outcome is what became of a part.
type Outcome int

const (
	// Left parts are not known to be delivered.
	Left Outcome = iota
	// Delivered parts were accepted by Firehose.
	Delivered
	// Refused parts are never accepted by Firehose: their records are dead letters.
	Refused
	// Doubtful parts were refused in a call that may itself be at fault; see
	// sink.Result. They are not known to be delivered either.
	Doubtful
)

// isRefused reports whether Firehose refused the part, perhaps with its whole call.
func (p Part) isRefused() bool { return p.Outcome == Refused || p.Outcome == Doubtful }

// Parts packs the records of the batch; see Pack. A record over the limit is a part of
// its own, which is refused. A record that is empty once framed is in no part, unless
// it is between records of one part.
func (b *Batch) Parts(dst []byte) (_ []byte, parts []Part, err error) {
	dst, packs, oversize, err := Pack(dst, b.Format, b.Records, b.AppendBody)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range packs {
		parts = append(parts, Part{Packed: p})
	}
	for _, i := range oversize {
		reason := fmt.Sprintf("over the limit of %d bytes when framed", stream.MaxFramedBytes)
		parts = append(parts, Part{Packed: Packed{First: i, End: i + 1}, Outcome: Refused, Reason: reason})
	}
	slices.SortFunc(parts, func(a, b Part) int { return a.First - b.First })
	return dst, parts, nil
}

// Split returns a part for each record of p. Records that are empty once framed have
// none.
func (b *Batch) Split(p Part) ([]Part, error) {
	var parts []Part
	for i := p.First; i < p.End; i++ {
		_, packs, _, err := Pack(nil, b.Format, 1, func(dst []byte, _ int) ([]byte, error) { return b.AppendBody(dst, i) })
		if err != nil {
			return nil, err
		}
		for _, one := range packs {
			parts = append(parts, Part{Packed: Packed{First: i, End: i + 1, Body: one.Body}})
		}
	}
	return parts, nil
}

type writer interface {
	Put(ctx context.Context, stream string, entries []sink.Entry) sink.Result
}

// Send puts the parts that are Left to Firehose, in order, and sets their outcomes. A
// doubtful part of which all records are old is refused. The indices of the result
// count the parts that were Left.
func (b *Batch) Send(ctx context.Context, to writer, parts []Part) sink.Result {
	var entries []sink.Entry
	var sent []*Part
	for i := range parts {
		if parts[i].Outcome == Left {
			entries, sent = append(entries, sink.Entry{Data: parts[i].Body}), append(sent, &parts[i])
		}
	}
	if len(entries) == 0 {
		return sink.Result{}
	}
	result := to.Put(ctx, b.Firehose, entries)
	for _, p := range sent {
		p.Outcome = Delivered
	}
	for _, i := range result.Left {
		sent[i].Outcome = Left
	}
	for _, d := range result.Doubtful {
		p := sent[d.Index]
		p.Outcome, p.Reason = Doubtful, "Firehose refused the record and the whole call for an hour: "+d.Reason
		if b.areOld(p.Packed) {
			p.Outcome = Refused
		}
	}
	for _, v := range result.Invalid {
		sent[v.Index].Outcome, sent[v.Index].Reason = Refused, "Firehose refused the record: "+v.Reason
	}
	return result
}

func (b *Batch) areOld(p Packed) bool {
	for i := p.First; i < p.End; i++ {
		if !b.IsOld(i) {
			return false
		}
	}
	return true
}

// SplitRefused replaces each part of several records that Firehose refused by a part
// for each record, which is Left: sent one by one, only the invalid records become
// dead letters. split reports whether there is any. After an error the part that
// could not be split is Left.
func (b *Batch) SplitRefused(parts []Part) (all []Part, split bool, err error) {
	for _, p := range parts {
		if !p.isRefused() || p.End-p.First == 1 {
			all = append(all, p)
			continue
		}
		records, splitErr := b.Split(p)
		if splitErr != nil {
			err = splitErr
			p.Outcome = Left
			all = append(all, p)
			continue
		}
		all, split = append(all, records...), true
	}
	return all, split, err
}
