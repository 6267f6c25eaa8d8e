package pack_test

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/google/go-cmp/cmp"
)

var (
	logged = time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC)
	line   = pack.Line{
		LoggedAt: logged, Stream: "orders", Bytes: 12, Records: 2, Hash: 0xabc, Shard: "shardId-0", FirstSequence: "1", LastSequence: "2",
	}
)

// asLambda renames slog's attributes as Lambda's log format has them.
func asLambda(_ []string, a slog.Attr) slog.Attr {
	switch a.Key {
	case slog.TimeKey:
		a.Key, a.Value = "timestamp", slog.StringValue(a.Value.Time().UTC().Format("2006-01-02T15:04:05.000Z"))
	case slog.MessageKey:
		a.Key = "message"
	}
	return a
}

func TestLineRoundTrip(t *testing.T) {
	t.Parallel()
	for _, want := range []pack.Line{
		line,
		{Stream: "a", Bytes: 1, Records: 1, Hash: 1<<64 - 1, FirstSequence: "49590338271490256608559692538361571095921575989136588898", LastSequence: "7"},
		{Stream: "by-the-drainer", Bytes: 1, Records: 1, Hash: 1},
	} {
		for _, lambda := range []bool{false, true} {
			options := &slog.HandlerOptions{}
			if lambda {
				options.ReplaceAttr = asLambda
			}
			var out bytes.Buffer
			for name, handler := range map[string]slog.Handler{"JSON": slog.NewJSONHandler(&out, options), "text": slog.NewTextHandler(&out, options)} {
				out.Reset()
				before := time.Now().Truncate(time.Millisecond)
				want.Log(t.Context(), slog.New(handler).With("requestId", "x"))
				got, ok, err := pack.ParseLine(out.Bytes())
				if !ok || err != nil {
					t.Errorf("ParseLine(%s) = %v, %v", &out, ok, err)
				}
				if at := got.LoggedAt; at.Before(before) || at.After(time.Now()) {
					t.Errorf("%s: logged at %v, want the current time", name, at)
				}
				got.LoggedAt = want.LoggedAt
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
		}
	}
}

func TestParseLine(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"time":"2026-11-22T23:00:00Z","level":"INFO","msg":"packed","stream":"orders","bytes":12,"records":2,"hash":"0000000000000abc","shard":"shardId-0","firstSequence":"1","lastSequence":"2"}`,
		`{"timestamp":"2026-11-22T23:00:00Z","level":"INFO","message":"packed","requestId":"x","stream":"orders","bytes":12,"records":2,"hash":"0000000000000abc","shard":"shardId-0","firstSequence":"1","lastSequence":"2"}`,
		`timestamp=2026-11-22T23:00:00.000Z level=INFO message=packed stream=orders bytes=12 records=2 hash=0000000000000abc shard=shardId-0 firstSequence=1 lastSequence=2 requestId=x`,
	} {
		got, ok, err := pack.ParseLine([]byte(text))
		if !ok || err != nil {
			t.Errorf("ParseLine(%s) = %v, %v", text, ok, err)
		}
		if diff := cmp.Diff(line, got); diff != "" {
			t.Errorf("ParseLine(%s) (-want +got):\n%s", text, diff)
		}
	}
	for _, other := range []string{``, `START RequestId: packed`, `{"msg":"undelivered","stream":"packed"}`, `["packed"]`} {
		if _, ok, err := pack.ParseLine([]byte(other)); ok || err != nil {
			t.Errorf("ParseLine(%q) = %v, %v, want another line without an error", other, ok, err)
		}
	}
	for _, malformed := range []string{
		`{"time":"2026-11-22T23:00:00Z","msg":"packed","stream":"orders"}`,
		`{"time":"2026-11-22T23:00:00Z","msg":"packed","stream":"orders","bytes":12,"records":2,"hash":"abc","firstSequence":"1"}`,
		`{"time":"2026-11-22T23:00:00Z","msg":"packed","stream":"orders","bytes":12,"records":2,"hash":"abc","lastSequence":"1"}`,
	} {
		if _, ok, err := pack.ParseLine([]byte(malformed)); ok || err == nil {
			t.Errorf("ParseLine(%s) = %v, %v, want an error", malformed, ok, err)
		}
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add([]byte(`{"time":"2026-11-22T23:00:00Z","msg":"packed","stream":"orders","bytes":12,"records":2,"hash":"abc","firstSequence":"1","lastSequence":"2"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if l, ok, err := pack.ParseLine(text); ok && (err != nil || l.Bytes <= 0 || l.Stream == "") {
			t.Errorf("ParseLine(%q) = %+v, %v", text, l, err)
		}
	})
}
