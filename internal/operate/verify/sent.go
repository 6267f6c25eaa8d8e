package verify

import (
	"slices"
	"sort"

	"github.com/data-sink/data-sink/internal/pipeline/pack"
)

// Sent is the records of the tap that the bridge sent to Firehose, by its log.
type Sent struct{ shards map[string][]pack.Line }

// NewSent returns the records in the packed records of one stream. Lines without
// a shard are skipped.
func NewSent(lines []pack.Line) *Sent {
	s := &Sent{shards: make(map[string][]pack.Line)}
	for _, p := range lines {
		if p.Shard != "" {
			s.shards[p.Shard] = append(s.shards[p.Shard], p)
		}
	}
	for _, shard := range s.shards {
		slices.SortFunc(shard, func(a, b pack.Line) int { return compareSequences(a.FirstSequence, b.FirstSequence) })
		// LastSequence becomes the highest one of all lines up to this line.
		for i := 1; i < len(shard); i++ {
			if compareSequences(shard[i].LastSequence, shard[i-1].LastSequence) < 0 {
				shard[i].LastSequence = shard[i-1].LastSequence
			}
		}
	}
	return s
}

// Has reports whether the record with this shard and sequence number was sent.
func (s *Sent) Has(shard, sequence string) bool {
	lines := s.shards[shard]
	after := sort.Search(len(lines), func(i int) bool { return compareSequences(lines[i].FirstSequence, sequence) > 0 })
	return after > 0 && compareSequences(lines[after-1].LastSequence, sequence) >= 0
}
