package main

import (
	"math"

	"github.com/data-sink/data-sink/internal/operate/capacity/bill"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Firehose is the Firehoses of all streams.
type Firehose struct {
	// GiB is the amount that is billed a month, UnpackedGiB the amount without packing.
	GiB         float64 `json:"gib"`
	UnpackedGiB float64 `json:"unpackedGib"`
	// BusiestMiB is the rate of the busiest stream, in MiB/s.
	BusiestMiB float64 `json:"busiestMib"`
	Dollars    float64 `json:"dollars"`
	Saved      float64 `json:"saved"`
}

// billedBytes returns the bytes that Firehose bills for one Firehose record.
func billedBytes(n float64) float64 {
	return math.Ceil(n/bill.FirehoseUnit) * bill.FirehoseUnit
}

// packedBytes returns the bytes that Firehose bills for a batch.
func (l Load) packedBytes(records float64) float64 {
	framed := float64(l.framed())
	each := math.Floor(stream.MaxFramedBytes / framed)
	full := math.Floor(records / each)
	return full*billedBytes(each*framed) + billedBytes((records-full*each)*framed)
}

func newFirehose(l Load, t Tap) Firehose {
	busiest, _ := l.shares()
	f := Firehose{BusiestMiB: l.peak() * busiest * float64(l.framed()) / (1 << 20)}
	f.GiB = l.overBatches(t, func(b batch) float64 { return b.perSecond * l.packedBytes(b.records) }) * bill.MonthSeconds / bill.GiB
	f.UnpackedGiB = l.Rate * bill.MonthSeconds * billedBytes(float64(l.framed())) / bill.GiB
	f.Dollars = bill.Priced(bill.FirehoseGiB, f.GiB)
	f.Saved = bill.Priced(bill.FirehoseGiB, f.UnpackedGiB) - f.Dollars
	return f
}

// Archive is the bucket, in its first month.
type Archive struct {
	Objects float64 `json:"objects"`
	// PutsPerSecond is the number of PUTs of the busiest stream, which has its own prefix.
	PutsPerSecond float64 `json:"putsPerSecond"`
	// GiB is the amount that is added in a month.
	GiB     float64 `json:"gib"`
	Dollars float64 `json:"dollars"`
}

// objects returns the number of objects a second of a stream: Firehose writes one by
// time or by size, whichever comes first; each direct record is one.
func (l Load) objects(rate float64) float64 {
	if l.oversize() {
		return rate
	}
	return max(min(rate, 1.0/bufferSeconds), rate*float64(l.framed())/(bufferMiB<<20))
}

func newArchive(l Load) Archive {
	busiest, _ := l.shares()
	a := Archive{PutsPerSecond: l.objects(l.peak() * busiest)}
	a.Objects = bill.MonthSeconds * l.overStreams(func(share float64) float64 { return l.objects(l.Rate * share) })
	a.GiB = l.Rate * bill.MonthSeconds * float64(l.framed()) / l.Compression / bill.GiB
	// During the first month, half of it is stored in the mean.
	a.Dollars = a.Objects*bill.S3Put + bill.Priced(bill.S3GiB, a.GiB/2)
	return a
}
