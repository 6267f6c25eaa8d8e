package cloud_test

import (
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

func TestLagOfAMapping(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 23, 15, 0, 0, time.UTC)
	now := at
	clock := func() time.Time { return now }
	k := openKinesis(t, 2, cloud.KinesisOptions{Now: clock})
	c := &consumer{}
	m := openMapping(t, cloud.MappingOptions{Kinesis: k, Function: c.function(), Now: clock})
	expect := func(want time.Duration, waiting int64) {
		t.Helper()
		if got, err := m.Lag(); err != nil || got != want {
			t.Errorf("Lag = %v, %v, want %v", got, err, want)
		}
		if got, err := m.Waiting(); err != nil || got != waiting {
			t.Errorf("Waiting = %d, %v, want %d", got, err, waiting)
		}
	}
	expect(0, 0)
	put(t, k, "s", numbered(0, 10)...)
	now = at.Add(time.Minute)
	put(t, k, "s", sink.Entry{PartitionKey: "younger"})
	now = at.Add(3 * time.Minute)
	expect(3*time.Minute, 11)
	deliver(t, m)
	expect(0, 0)
}

func TestFreshnessOfADeliveryStream(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 23, 15, 0, 0, time.UTC)
	now := at
	bucket, _ := openBucket(t)
	o := cloud.FirehoseOptions{Dir: newRoot(t), Write: bucket.Write, Now: func() time.Time { return now }}
	f := openFirehose(t, cloud.DeliveryStream{BufferBytes: 10}, o)
	expect := func(want time.Duration, accepted, written int64) {
		t.Helper()
		if got := f.Freshness("s"); got != want {
			t.Errorf("Freshness = %v, want %v", got, want)
		}
		if a, w := f.Progress("s"); a != accepted || w != written {
			t.Errorf("Progress = %d, %d, want %d, %d", a, w, accepted, written)
		}
	}
	expect(0, 0, 0)
	put(t, f, "s", data("a")...)
	now = at.Add(time.Minute)
	expect(time.Minute, 1, 0)
	put(t, f, "s", data("fills the buffer")...)
	put(t, f, "s", data("b")...)
	expect(time.Minute, 18, 0)
	now = at.Add(2 * time.Minute)
	f = openFirehose(t, cloud.DeliveryStream{BufferBytes: 10}, o) // The next process has the buffers of this one, which do not count.
	expect(2*time.Minute, 0, 0)
	put(t, f, "s", data("c")...)
	flush(t, f)
	expect(0, 1, 1)
}
