package verify_test

import (
	"testing"

	"github.com/data-sink/data-sink/internal/operate/verify"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
)

func TestSentHasWhatALineCovers(t *testing.T) {
	t.Parallel()
	s := verify.NewSent([]pack.Line{
		{Shard: "a", FirstSequence: "30", LastSequence: "40"},
		{Shard: "a", FirstSequence: "5", LastSequence: "100"},
		{Shard: "a", FirstSequence: "200", LastSequence: "200"},
		{Shard: "b", FirstSequence: "1000", LastSequence: "1001"},
		{FirstSequence: "1", LastSequence: "9999"},
	})
	for _, tt := range []struct {
		shard, sequence string
		want            bool
	}{
		{"a", "4", false},
		{"a", "5", true},
		{"a", "9", true},
		{"a", "50", true},
		{"a", "100", true},
		{"a", "101", false},
		{"a", "200", true},
		{"a", "201", false},
		{"b", "1001", true},
		{"b", "50", false},
		{"c", "50", false},
	} {
		if got := s.Has(tt.shard, tt.sequence); got != tt.want {
			t.Errorf("Has(%s, %s) = %v, want %v", tt.shard, tt.sequence, got, tt.want)
		}
	}
}
