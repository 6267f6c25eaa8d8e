package cloud

import (
	"math"
	"testing"
)

func TestSequenceNumber(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		shard  int
		offset int64
		want   string
	}{
		{0, 0, "49" + "0000000000000000000000000000000000" + "00000000000000000000"},
		{12, 1_234_567_890, "49" + "0000000000000000000000000000000012" + "00000000001234567890"},
		{299, math.MaxInt64, "49" + "0000000000000000000000000000000299" + "09223372036854775807"},
	} {
		got := sequenceNumber(tt.shard, tt.offset)
		if got != tt.want {
			t.Errorf("sequenceNumber(%d, %d) = %s, want %s", tt.shard, tt.offset, got, tt.want)
		}
		if offset, err := sequenceOffset(got); err != nil || offset != tt.offset {
			t.Errorf("sequenceOffset(%s) = %d, %v, want %d", got, offset, err, tt.offset)
		}
	}
}
