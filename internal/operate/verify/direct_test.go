package verify_test

import (
	"context"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/operate/verify"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestDirectRecordsAreComparedWithTheLog holds that a direct record which ingest
// logged is in the archive, with its bytes.
func TestDirectRecordsAreComparedWithTheLog(t *testing.T) {
	t.Parallel()
	const folder = "orders/dt=2026-11-22/hour=23/"
	w, _ := threeObjects(t)
	logged := func(name string, bytes int) archive.Line {
		return archive.Line{LoggedAt: base.Add(time.Minute), Stream: "orders", Reason: archive.Fallback, Bytes: bytes, Key: folder + name}
	}
	lines := []archive.Line{
		logged("fallback-whole.gz", 3), logged("fallback-short.gz", 9), logged("fallback-gone.gz", 5),
		{LoggedAt: base, Stream: "orders", Bytes: 1, Key: "orders/dt=2026-11-22/hour=22/fallback-of-another-hour.gz"},
	}
	w.write(folder+"fallback-whole.gz", []byte("abc\n"))
	w.write(folder+"fallback-short.gz", []byte("abc\n"))
	w.write(folder+"fallback-unlogged.gz", []byte("abc\n"))
	c := w.config()
	c.Direct = func(_ context.Context, _, _ time.Time, each func(archive.Line) error) error {
		for _, l := range lines {
			if err := each(l); err != nil {
				return err
			}
		}
		return nil
	}
	r := run(t, c)
	want := []verify.Finding{
		{Kind: verify.Changed, Hop: "archive", Object: folder + "fallback-short.gz", Bytes: 4, Records: 1},
		{Kind: verify.Missing, Hop: "archive", Object: folder + "fallback-gone.gz", Bytes: 5, Records: 1},
	}
	if diff := cmp.Diff(want, r.Findings, cmpopts.IgnoreFields(verify.Finding{}, "Detail", "LoggedAt")); diff != "" {
		t.Errorf("findings differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{folder + "fallback-unlogged.gz"}, r.DirectUnlogged); diff != "" {
		t.Errorf("records without a line differ (-want +got):\n%s", diff)
	}
}
