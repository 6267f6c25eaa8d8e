package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/ingest"
	"github.com/google/go-cmp/cmp"
)

func TestDevEventsAreThinnedOut(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 2, 24, 18, 0, time.UTC)
	var out bytes.Buffer
	e := &devEvents{out: &out, now: func() time.Time { return now }}
	e.accepted(ingest.Outcome{Stream: "orders", Records: 1, Bytes: 17})
	e.accepted(ingest.Outcome{Refused: "unauthorized"})
	e.accepted(ingest.Outcome{Stream: "orders", Records: 500, Bytes: 123_456})
	e.written("orders/x.gz", 20_000_000)
	want := "02:24:18 orders 17 B\n02:24:18 orders 500 records, 123.5 kB\n02:24:18 object orders/x.gz 20.0 MB\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("lines differ (-want +got):\n%s", diff)
	}
	now = now.Add(time.Second)
	for range 100 {
		e.accepted(ingest.Outcome{Stream: "orders", Records: 1, Bytes: 1})
	}
	now = now.Add(time.Second)
	out.Reset()
	e.accepted(ingest.Outcome{Stream: "last", Records: 1, Bytes: 1})
	if diff := cmp.Diff("02:24:20 … 90 more\n02:24:20 last 1 B\n", out.String()); diff != "" {
		t.Errorf("lines after many records differ (-want +got):\n%s", diff)
	}
}
