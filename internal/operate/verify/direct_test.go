package verify_test

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/operate/verify"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
)

// direct returns the name of a direct record that was received at a time.
func direct(at time.Time) string {
	id := uuid.New()
	binary.BigEndian.PutUint64(id[:], uint64(at.UnixMilli())<<16|0x7000) // #nosec G115 -- a time after 1970
	return "fallback-" + id.String() + ".gz"
}

// TestDirectRecordsAreComparedWithTheLog holds that a direct record which ingest
// logged is in the archive, with its bytes.
func TestDirectRecordsAreComparedWithTheLog(t *testing.T) {
	t.Parallel()
	const folder = "orders/dt=2026-11-22/hour=23/"
	w, _ := threeObjects(t)
	logged := func(name string, records, bytes int, body string) archive.Line {
		return archive.Line{
			LoggedAt: base.Add(time.Minute), Stream: "orders", Reason: archive.Fallback, Records: records, Bytes: bytes,
			Hash: archive.Hash(stream.Lines, []byte(body)), Key: folder + name,
		}
	}
	old := logged("fallback-old.gz", 1, 3, "")
	old.Hash = ""
	lines := []archive.Line{
		logged("fallback-whole.gz", 1, 3, "abc"), logged("fallback-short.gz", 1, 9, "abc"), logged("fallback-gone.gz", 10_000, 5, "abc"),
		logged("fallback-batch.gz", 3, 6, "a\nb\nc\n"), logged("fallback-altered.gz", 2, 4, "a\nb\n"), old,
		{LoggedAt: base, Stream: "orders", Bytes: 1, Key: "orders/dt=2026-11-22/hour=22/fallback-of-another-hour.gz"},
	}
	w.write(folder+"fallback-whole.gz", []byte("abc\n"))
	w.write(folder+"fallback-short.gz", []byte("abc\n"))
	w.write(folder+"fallback-batch.gz", []byte("a\nb\nc\n"))
	w.write(folder+"fallback-altered.gz", []byte("a\nX\n"))
	w.write(folder+"fallback-old.gz", []byte("abc\n"))
	w.write(folder+"fallback-unlogged.gz", []byte("abc\n"))
	unanswered, copied := direct(base.Add(time.Minute)), direct(base.Add(-time.Minute))
	w.write(folder+unanswered, []byte("abc\n"))
	w.write(folder+copied, []byte("abc\n"))
	c := w.config()
	c.Direct = func(_ context.Context, _, _ time.Time, each func(archive.Line) error) error {
		for _, l := range lines {
			if err := each(l); err != nil {
				return err
			}
		}
		return nil
	}
	c.Summaries = true
	r := run(t, c)
	want := []verify.Finding{
		{Kind: verify.Misplaced, Hop: "archive", Object: folder + copied, Bytes: 4, Records: 1},
		{Kind: verify.Changed, Hop: "archive", Object: folder + "fallback-altered.gz", Bytes: 4, Records: 2},
		{Kind: verify.Changed, Hop: "archive", Object: folder + "fallback-short.gz", Bytes: 4, Records: 1},
		{Kind: verify.Missing, Hop: "archive", Object: folder + "fallback-gone.gz", Bytes: 5, Records: 10_000},
	}
	if diff := cmp.Diff(want, r.Findings, cmpopts.IgnoreFields(verify.Finding{}, "Detail", "LoggedAt")); diff != "" {
		t.Errorf("findings differ (-want +got):\n%s", diff)
	}
	count := verify.Count{Records: 11, Bytes: 34, Objects: 8}
	if diff := cmp.Diff(count, r.Direct[archive.Fallback]); diff != "" {
		t.Errorf("direct records differ (-want +got):\n%s", diff)
	}
	bodies := make(map[string]int64)
	for _, o := range r.Objects {
		bodies[o.Key] = o.Bodies
	}
	if got := bodies[folder+"fallback-batch.gz"]; got != 3 {
		t.Errorf("the manifest's bodies of a batch = %d, want 3", got)
	}
	if diff := cmp.Diff([]string{folder + unanswered, folder + "fallback-unlogged.gz"}, r.DirectUnlogged); diff != "" {
		t.Errorf("records without a line differ (-want +got):\n%s", diff)
	}
}
