package stream_test

import (
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

var noon = time.Date(2026, 11, 23, 12, 30, 0, 0, time.UTC)

func TestTheHiveTableReadsTheFolderOfTheStream(t *testing.T) {
	t.Parallel()
	h := stream.Stream{Name: "a-b"}.HiveTable("data-sink", "bucket", "2026-02-01")
	if h.Database != "data_sink" || h.Name != "a_b" {
		t.Errorf("table %s.%s, want data_sink.a_b", h.Database, h.Name)
	}
	// Without its slash the folder would match the streams a-b-c and a-b too.
	if h.Location != "s3://bucket/a-b/" {
		t.Errorf("location %s", h.Location)
	}
	folder := strings.NewReplacer("${dt}", noon.Format("2006-01-02"), "${hour}", noon.Format("15")).Replace(h.Parameters["storage.location.template"])
	if want := "s3://bucket/" + (stream.Stream{Name: "a-b"}).Folder(noon); folder != want {
		t.Errorf("the partition of an hour is %s, want %s", folder, want)
	}
	if got := h.Parameters["projection.dt.range"]; got != "2026-02-01,NOW" {
		t.Errorf("days %s", got)
	}
}
