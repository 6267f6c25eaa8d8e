package main

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/function"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/rig/metrictest"
	"github.com/data-sink/data-sink/internal/rig/redistest"
)

func TestInitListsEveryMissingSetting(t *testing.T) {
	t.Parallel()
	_, err := newHandler(t.Context(), &function.Process{Getenv: func(string) string { return "" }, Log: slog.Default(), Metrics: io.Discard})
	if err == nil {
		t.Fatal("a drainer without settings: no error")
	}
	for _, s := range env.Settings(env.ParseDrainer) {
		if s.Required && !strings.Contains(err.Error(), s.Name+": missing") {
			t.Errorf("the error does not name %s:\n%v", s.Name, err)
		}
	}
}

func TestInitNeedsNoOneToAnswer(t *testing.T) {
	t.Parallel()
	settings := map[string]string{
		env.Name: "datasink", env.Streams: "../../streams.json", env.ArchiveBucket: "bucket",
		env.RedisURL: "redis://127.0.0.1:1", env.WakeQueueURL: "http://127.0.0.1:1/queue",
	}
	if _, err := newHandler(t.Context(), &function.Process{Getenv: func(name string) string { return settings[name] }, Log: slog.Default(), Metrics: io.Discard}); err != nil {
		t.Errorf("a drainer whose services are unavailable: %v", err)
	}
	settings[env.Streams] = "absent.json"
	if _, err := newHandler(t.Context(), &function.Process{Getenv: func(name string) string { return settings[name] }, Log: slog.Default(), Metrics: io.Discard}); err == nil {
		t.Error("a drainer without its streams.json: no error")
	}
}

func TestASweepAsWiredWritesHowTheQueuesStand(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	// A record that another drainer holds: this drainer counts it and leaves it alone.
	q, err := queue.Open(queue.Options{Deployment: "datasink", URL: redis.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	record, err := envelope.Encode(envelope.Record{ID: "1", Stream: "orders", ReceivedAt: time.Now().Add(-time.Second), Body: []byte("body")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Push(t.Context(), "orders", record, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Claim(t.Context(), "orders", "other.1", time.Hour, 1, 1<<20); err != nil {
		t.Fatal(err)
	}

	settings := map[string]string{
		env.Name: "datasink", env.Streams: "../../streams.json", env.ArchiveBucket: "bucket",
		env.RedisURL: redis.URL, env.WakeQueueURL: "http://127.0.0.1:1/queue",
	}
	var metrics bytes.Buffer
	h, err := newHandler(t.Context(), &function.Process{Getenv: func(name string) string { return settings[name] }, Log: slog.New(slog.DiscardHandler), Metrics: &metrics})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Invoke(t.Context(), []byte(drain.SweepEvent)); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(metrictest.Texts(metrictest.Read(t, metrics.Bytes())), "\n")
	for _, want := range []string{"QueueDepth Service=datasink: 0", "QueueDepth Service=datasink Stream=orders: 0", "OldestRecordAge Service=datasink Stream=orders: ", "EvictionPolicyUnsafe Service=datasink: 0"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in:\n%s", want, got)
		}
	}
}
