package remote_test

import (
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/operate/remote"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

func TestSettle(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[int]time.Duration{0: 20 * time.Minute, 60: 6 * time.Minute, 900: 20 * time.Minute} {
		if got := remote.Settle(stream.Stream{BufferSeconds: seconds}); got != want {
			t.Errorf("Settle of %d s = %v, want %v", seconds, got, want)
		}
	}
}
