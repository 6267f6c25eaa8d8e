package archive_test

import (
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/google/go-cmp/cmp"
)

func TestParseLine(t *testing.T) {
	t.Parallel()
	want := archive.Line{
		LoggedAt: time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC), Stream: "orders", Reason: archive.Fallback, Bytes: 12,
		Key: "orders/dt=2026-11-22/hour=23/fallback-1.gz",
	}
	const attributes = `"stream":"orders","id":"1","reason":"fallback","bytes":12,"cause":"a b","key":"orders/dt=2026-11-22/hour=23/fallback-1.gz"}`
	for name, text := range map[string]string{
		"slog":   `{"time":"2026-11-22T23:00:00Z","level":"WARN","msg":"record_archived",` + attributes,
		"Lambda": `{"timestamp":"2026-11-22T23:00:00Z","level":"WARN","message":"record_archived","requestId":"x",` + attributes,
		"text":   `time=2026-11-22T23:00:00Z level=WARN msg=record_archived stream=orders id=1 reason=fallback bytes=12 cause="a b" key="orders/dt=2026-11-22/hour=23/fallback-1.gz"`,
	} {
		got, ok, err := archive.ParseLine([]byte(text))
		if !ok || err != nil {
			t.Errorf("%s: ParseLine = %v, %v", name, ok, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: line differs (-want +got):\n%s", name, diff)
		}
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
