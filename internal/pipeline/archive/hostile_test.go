package archive_test

import (
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"pgregory.net/rapid"
)

// names draws plain names, names with characters that are special in a key, and
// any text.
var names = rapid.OneOf(
	rapid.StringMatching(`[a-z0-9-]{1,40}`), rapid.StringMatching(`[a-zA-Z0-9._-]{1,50}`), rapid.StringOf(rapid.SampledFrom([]rune("a0-._/\\%{}:*?#=\x00\n \"'<>éаａ\u202e"))), rapid.String(),
	rapid.SampledFrom([]string{"", ".", "..", "../..", "orders", "failed", "aws", "a/../b", "dt=2026-01-01"}),
)

// For any stream name, reason and id, the object is in the stream's folder under a
// name of the documented form, or no object is written.
func TestAnObjectStaysInItsFolder(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[a-z0-9-]+/dt=2026-11-22/hour=23/[A-Za-z0-9_-][A-Za-z0-9._-]*$`)
	rapid.Check(t, func(t *rapid.T) {
		var objects store
		s := stream.Stream{Name: names.Draw(t, "stream"), Compression: rapid.SampledFrom([]stream.Compression{stream.Gzip, stream.None}).Draw(t, "compression")}
		r := envelope.Record{Stream: names.Draw(t, "other stream"), ID: names.Draw(t, "id"), PartitionKey: names.Draw(t, "key"), ReceivedAt: receivedAt, Body: []byte("b")}
		key, err := archive.New(&objects, names.Draw(t, "deployment")).Put(t.Context(), s, r, archive.Reason(names.Draw(t, "reason")))
		if err != nil {
			if len(objects.objects) > 0 {
				t.Fatalf("Put = %v and wrote an object", err)
			}
			return
		}
		if _, written := objects.objects[key]; !written || len(objects.objects) != 1 {
			t.Fatalf("Put = %q and wrote %d objects", key, len(objects.objects))
		}
		if !form.MatchString(key) || !strings.HasPrefix(key, s.Name+"/") || path.Clean(key) != key || len(key) > 1024 {
			t.Fatalf("Put of stream %q, id %q = %q", s.Name, r.ID, key)
		}
	})
}

// Dead letters stay in their folder for any name of a stream.
func TestDeadLettersStayInTheirFolder(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^failed/[A-Za-z0-9_-][A-Za-z0-9._-]*/[a-z0-9_-]+/dt=2026-11-22/hour=23/[A-Za-z0-9_-][A-Za-z0-9._-]*\.ndjson$`)
	rapid.Check(t, func(t *rapid.T) {
		var objects store
		stage, name := names.Draw(t, "stage"), names.Draw(t, "stream")
		letter := archive.DeadLetter{
			Stage: names.Draw(t, "other stage"), Stream: names.Draw(t, "other stream"), Reason: "r" + names.Draw(t, "reason"), ID: names.Draw(t, "id"),
			PartitionKey: names.Draw(t, "key"), FailedAt: receivedAt, ReceivedAt: receivedAt,
		}
		key, err := archive.New(&objects, "datasink").PutDeadLetters(t.Context(), stage, name, names.Draw(t, "object"), []archive.DeadLetter{letter})
		if err != nil {
			if len(objects.objects) > 0 {
				t.Fatalf("PutDeadLetters = %v and wrote an object", err)
			}
			return
		}
		if !form.MatchString(key) || !strings.HasPrefix(key, archive.DeadLetterPrefix(stage, name)) || path.Clean(key) != key || len(key) > 1024 {
			t.Fatalf("PutDeadLetters of stage %q, stream %q = %q", stage, name, key)
		}
		if n := strings.Count(string(objects.objects[key]), "\n"); n != 1 {
			t.Fatalf("one record became %d lines", n)
		}
	})
}
