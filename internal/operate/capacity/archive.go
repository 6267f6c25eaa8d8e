package main

import (
	"math"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Firehose is the Firehoses of all streams.
type Firehose struct {
	// GiB are what it bills a month; Unpacked what it would bill if each record were
	// one of its own.
	GiB         float64 `json:"gib"`
	UnpackedGiB float64 `json:"unpackedGib"`
	// BusiestMiB are MiB/s of the busiest stream.
	BusiestMiB float64 `json:"busiestMib"`
	Dollars    float64 `json:"dollars"`
	Saved      float64 `json:"saved"`
}

// billedBytes is what Firehose counts for a record of its own.
func billedBytes(n float64) float64 {
	return math.Ceil(n/firehoseUnit) * firehoseUnit
}

// packedBytes is what it counts for a batch that the bridge packed.
func (l Load) packedBytes(records float64) float64 {
	framed := float64(l.framed())
	each := math.Floor(stream.MaxFramedBytes / framed)
	full := math.Floor(records / each)
	return full*billedBytes(each*framed) + billedBytes((records-full*each)*framed)
}

func newFirehose(l Load, t Tap) Firehose {
	busiest, _ := l.shares()
	f := Firehose{BusiestMiB: l.peak() * busiest * float64(l.framed()) / (1 << 20)}
	f.GiB = l.overShards(t, func(rate float64) float64 {
		b := l.batchOf(rate)
		return b.perSecond * l.packedBytes(b.records)
	}) * monthSeconds / gib
	f.UnpackedGiB = l.Rate * monthSeconds * billedBytes(float64(l.framed())) / gib
	f.Dollars = priced(firehoseGiB, f.GiB)
	f.Saved = priced(firehoseGiB, f.UnpackedGiB) - f.Dollars
	return f
}

// Archive is the bucket, in its first month.
type Archive struct {
	Objects float64 `json:"objects"`
	// PutsPerSecond are those of the busiest stream, which has a prefix of its own.
	PutsPerSecond float64 `json:"putsPerSecond"`
	// GiB are what a month adds.
	GiB     float64 `json:"gib"`
	Dollars float64 `json:"dollars"`
}

// objects is how many a stream has a second: by time or by size, whatever comes
// first, and one for each record that goes past Firehose.
func (l Load) objects(rate float64) float64 {
	if l.oversize() {
		return rate
	}
	return max(min(rate, 1.0/bufferSeconds), rate*float64(l.framed())/(bufferMiB<<20))
}

func newArchive(l Load) Archive {
	busiest, _ := l.shares()
	a := Archive{PutsPerSecond: l.objects(l.peak() * busiest)}
	a.Objects = monthSeconds * l.overStreams(func(share float64) float64 { return l.objects(l.Rate * share) })
	a.GiB = l.Rate * monthSeconds * float64(l.framed()) / l.Compression / gib
	// In the first month half of it is there, in the mean.
	a.Dollars = a.Objects*s3Put + priced(s3GiB, a.GiB/2)
	return a
}
