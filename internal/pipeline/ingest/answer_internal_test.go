package ingest

import (
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/metric"
)

// This file is in package ingest because it tests unexported values.

func TestEveryRefusalAndReasonHasAMetric(t *testing.T) {
	t.Parallel()
	for code := range statuses {
		if m := metric.Refused(code); m.Name == "RefusedOther" {
			t.Errorf("%s has no metric of its own", code)
		}
	}
	for _, why := range []archive.Reason{archive.Oversize, archive.Fallback, archive.Overflow} {
		if metric.Archived(string(why)).Name == "" {
			t.Errorf("%s has no metric", why)
		}
	}
}

func TestEveryRefusalHasAStatus(t *testing.T) {
	t.Parallel()
	m, large, over := methodNotAllowed("POST"), tooLarge("received", "5 bytes", 4), overBacklog(1)
	used := make(map[string]bool)
	for _, f := range []*refusal{
		&notFound, &unknownStream, &forbidden, &unauthorized, &emptyBody, &noLines, &tooManyLines, &badPartitionKey, &badIdempotencyKey, &keyReused, &notALinesStream,
		&unsupportedEncoding, &unsupportedType, &badEncoding, &badBase64, &compressedText, &alteredBody, &noCredentials, &notStored, &backlogFull, &unhealthy, m, large, over,
	} {
		used[f.code] = true
		if statuses[f.code] == 0 {
			t.Errorf("%s has no status", f.code)
		}
	}
	for code := range statuses {
		if !used[code] {
			t.Errorf("no refusal has the code %s", code)
		}
	}
}
