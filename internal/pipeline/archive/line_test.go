package archive_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
)

func TestParseLine(t *testing.T) {
	t.Parallel()
	want := archive.Line{
		LoggedAt: time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC), Stream: "orders", Reason: archive.Fallback, Records: 3, Bytes: 12, Hash: "00000000000000ab",
		Key: "orders/dt=2026-11-22/hour=23/fallback-1.gz",
	}
	const attributes = `"stream":"orders","id":"1","reason":"fallback","records":3,"bytes":12,"cause":"a b","hash":"00000000000000ab","key":"orders/dt=2026-11-22/hour=23/fallback-1.gz"}`
	for name, text := range map[string]string{
		"slog":   `{"time":"2026-11-22T23:00:00Z","level":"WARN","msg":"record_archived",` + attributes,
		"Lambda": `{"timestamp":"2026-11-22T23:00:00Z","level":"WARN","message":"record_archived","requestId":"x",` + attributes,
		"text":   `time=2026-11-22T23:00:00Z level=WARN msg=record_archived stream=orders id=1 reason=fallback records=3 bytes=12 cause="a b" hash=00000000000000ab key="orders/dt=2026-11-22/hour=23/fallback-1.gz"`,
	} {
		got, ok, err := archive.ParseLine([]byte(text))
		if !ok || err != nil {
			t.Errorf("%s: ParseLine = %v, %v", name, ok, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: line differs (-want +got):\n%s", name, diff)
		}
	}
	old, ok, err := archive.ParseLine([]byte(`{"time":"2026-11-22T23:00:00Z","msg":"record_archived","stream":"orders","bytes":12,"key":"k"}`))
	if !ok || err != nil || old.Records != 1 || old.Hash != "" {
		t.Errorf("ParseLine of a line without records and hash = %+v, %v, %v, want 1 record and no hash", old, ok, err)
	}
	for _, other := range []string{``, `START RequestId: record_archived`, `{"msg":"packed","stream":"record_archived"}`} {
		if _, ok, err := archive.ParseLine([]byte(other)); ok || err != nil {
			t.Errorf("ParseLine(%q) = %v, %v, want it skipped", other, ok, err)
		}
	}
	if _, ok, err := archive.ParseLine([]byte(`{"time":"2026-11-22T23:00:00Z","msg":"record_archived","stream":"orders"}`)); ok || err == nil {
		t.Errorf("ParseLine of a line without a key = %v, %v, want an error", ok, err)
	}
}

func TestHashIsThatOfTheObject(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		format stream.Format
		body   string
		object string
	}{
		{stream.Lines, "abc", "abc\n"},
		{stream.Lines, "abc\n", "abc\n"},
		{stream.Raw, "abc", "abc"},
	} {
		want := fmt.Sprintf("%016x", xxhash.Sum64String(tt.object))
		if got := archive.Hash(tt.format, []byte(tt.body)); got != want {
			t.Errorf("Hash(%s, %q) = %s, want the hash of %q, %s", tt.format, tt.body, got, tt.object, want)
		}
	}
}
