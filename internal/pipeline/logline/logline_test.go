package logline_test

import (
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/logline"
)

func TestParse(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC)
	for name, text := range map[string]string{
		"slog in JSON":   `{"time":"2026-11-22T23:00:00Z","level":"INFO","msg":"packed","key":"a=1 \"b\"","bytes":1000000,"records":"3"}`,
		"Lambda in JSON": `{"timestamp":"2026-11-22T23:00:00.000Z","level":"INFO","message":"packed","key":"a=1 \"b\"","bytes":1000000,"records":"3"}`,
	} {
		l, ok := logline.Parse([]byte(text), "packed")
		if !ok || !l.LoggedAt.Equal(at) {
			t.Errorf("%s: Parse = %v at %v, want true at %v", name, ok, l.LoggedAt, at)
		}
		if got := l.Text("key"); got != `a=1 "b"` {
			t.Errorf("%s: key = %q", name, got)
		}
		if got := l.Number("bytes"); got != 1_000_000 {
			t.Errorf("%s: bytes = %d", name, got)
		}
	}
	l, ok := logline.Parse([]byte(`time=2026-11-22T23:00:00.000Z level=INFO msg=packed key="a=1" bytes=12 hash=1e3 shard=""`), "packed")
	if !ok || !l.LoggedAt.Equal(at) {
		t.Errorf("text: Parse = %v at %v, want true at %v", ok, l.LoggedAt, at)
	}
	for name, want := range map[string]string{"key": "a=1", "bytes": "12", "hash": "1e3", "shard": "", "absent": ""} {
		if got := l.Text(name); got != want {
			t.Errorf("text: %s = %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]int{"bytes": 12, "hash": 0, "absent": 0} {
		if got := l.Number(name); got != want {
			t.Errorf("text: number %s = %d, want %d", name, got, want)
		}
	}
}

func TestParseSkipsOtherLines(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, `packed`, `START RequestId: packed`, `{"msg":"unpacked"}`, `{"msg":"undelivered","stream":"packed"}`, `["packed"]`, `msg=undelivered stream=packed`,
		`{"msg":"packed"`,
	} {
		if _, ok := logline.Parse([]byte(text), "packed"); ok {
			t.Errorf("Parse(%q) = true, want false", text)
		}
	}
	if l, ok := logline.Parse([]byte(`{"msg":"packed","time":"yesterday"}`), "packed"); !ok || !l.LoggedAt.IsZero() {
		t.Errorf("Parse of a line with a malformed time = %v at %v, want true and no time", ok, l.LoggedAt)
	}
}
