package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseLog(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 23, 5, 0, 0, time.UTC)
	for text, want := range map[string]logLine{
		`{"timestamp":"2026-11-22T23:05:00Z","level":"ERROR","message":"drain_failed","requestId":"r","stream":"orders","left":3,"error":"a \"b\" c"}`: {
			at: at, level: "ERROR", event: "drain_failed", stream: "orders", attributes: ` requestId=r stream=orders left=3 error="a \"b\" c"`,
		},
		`{"time":"2026-11-22T23:05:00Z","level":"WARN","msg":"x","function":"ingest","empty":""}`: {at: at, level: "WARN", event: "x", attributes: ` empty=""`},
		`{"time":"2026-11-22T23:05:00Z","type":"platform.report","record":{"durationMs":1}}`:      {at: at, attributes: ` record={"durationMs":1}`, isPlatform: true},
		`{"_aws":{"Timestamp":1},"Accepted":3}`:                                                   {attributes: " Accepted=3", isPlatform: true},
		"panic: no JSON":                                                                          {event: "panic: no JSON"},
		`{"level":"ERROR","message":`:                                                             {level: "ERROR"},
		`["a"]`:                                                                                   {event: `["a"]`},
	} {
		want.text, want.function = text, "ingest"
		got := parseLog("ingest", []byte(text))
		if want.at.IsZero() {
			if time.Since(got.at) > time.Minute {
				t.Errorf("%s: the time is %v, want now", text, got.at)
			}
			got.at = time.Time{}
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(logLine{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("parseLog(%s) differs (-want +got):\n%s", text, diff)
		}
	}
}
