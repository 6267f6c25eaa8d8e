package cloud_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

var quiet = slog.New(slog.DiscardHandler)

func openRoot(tb testing.TB, dir string) *os.Root {
	tb.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = root.Close() })
	return root
}

func newRoot(tb testing.TB) *os.Root {
	tb.Helper()
	return openRoot(tb, tb.TempDir())
}

// openKinesis returns a Kinesis with the stream "s". The default of Dir is a new folder.
func openKinesis(tb testing.TB, shards int, o cloud.KinesisOptions) *cloud.Kinesis {
	tb.Helper()
	if o.Dir == nil {
		o.Dir = newRoot(tb)
	}
	k := cloud.NewKinesis(o)
	if err := k.Open("s", cloud.StreamOptions{Shards: shards}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := k.Close(); err != nil {
			tb.Error(err)
		}
	})
	return k
}

func oneShard(t *testing.T) *cloud.Kinesis {
	t.Helper()
	return openKinesis(t, 1, cloud.KinesisOptions{})
}

// put puts entries, all of which must be accepted.
func put(tb testing.TB, s sink.Service, stream string, entries ...sink.Entry) {
	tb.Helper()
	for chunk := range slices.Chunk(entries, 500) {
		failures, err := s.Put(tb.Context(), stream, chunk)
		if err != nil || len(failures) > 0 {
			tb.Fatalf("Put(%d entries) = %v, %v, want all accepted", len(chunk), failures, err)
		}
	}
}

func shardIDs(tb testing.TB, k *cloud.Kinesis) []string {
	tb.Helper()
	d, err := k.Describe(tb.Context(), "DescribeStream", "s")
	if err != nil {
		tb.Fatal(err)
	}
	var ids []string
	for _, s := range d.Shards {
		ids = append(ids, s.ID)
	}
	return ids
}

// contents reads a shard of the stream s after a sequence number.
func contents(tb testing.TB, k *cloud.Kinesis, shard, after string) (data []string, last string) {
	tb.Helper()
	start := cloud.IteratorStart{Type: cloud.TrimHorizon}
	if after != "" {
		start = cloud.IteratorStart{Type: cloud.AfterSequenceNumber, SequenceNumber: after}
	}
	iterator, err := k.GetShardIterator(tb.Context(), "s", shard, start)
	if err != nil {
		tb.Fatal(err)
	}
	for iterator != "" {
		page, err := k.GetRecords(tb.Context(), iterator, 0)
		if err != nil {
			tb.Fatal(err)
		}
		for _, r := range page.Records {
			if r.SequenceNumber <= last || len(r.SequenceNumber) != 56 {
				tb.Errorf("sequence number %q after %q, want 56 digits that increase", r.SequenceNumber, last)
			}
			data, last = append(data, string(r.Data)), r.SequenceNumber
		}
		if iterator = page.NextIterator; len(page.Records) == 0 {
			break
		}
	}
	return data, last
}

const shard0 = "shardId-000000000000"

// waitFor fails the test if the condition does not become true.
func waitFor(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("waited a minute for %s", what)
		}
	}
}

// openBucket returns a bucket and the folder of its objects.
func openBucket(tb testing.TB) (*cloud.Bucket, string) {
	tb.Helper()
	dir := tb.TempDir()
	b, err := cloud.OpenBucket("archive", openRoot(tb, dir), "archive", nil)
	if err != nil {
		tb.Fatal(err)
	}
	return b, filepath.Join(dir, "archive")
}
