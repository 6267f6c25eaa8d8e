package main

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/function"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/awstest"
	"github.com/data-sink/data-sink/internal/rig/metrictest"
	"github.com/data-sink/data-sink/internal/rig/s3test"
	"github.com/google/go-cmp/cmp"
)

func getenv(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestEverySettingThatIsMissingIsListed(t *testing.T) {
	t.Parallel()
	_, err := newHandler(t.Context(), &function.Process{Getenv: getenv(nil), Log: slog.New(slog.DiscardHandler), Metrics: io.Discard})
	if err == nil {
		t.Fatal("no error without any settings")
	}
	for _, want := range []string{env.Name + ": missing", env.ArchiveBucket + ": missing", "open streams.json"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not say %q:\n%v", want, err)
		}
	}
}

func TestEveryProblemOfTheStreamsIsListed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "streams.json")
	if err := os.WriteFile(file, []byte(`{"streams":[{"name":"Orders"},{"name":"a","format":"csv"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{env.Name: "Data.Sink", env.ArchiveBucket: "bucket", env.Streams: file}
	_, err := newHandler(t.Context(), &function.Process{Getenv: getenv(vars), Log: slog.New(slog.DiscardHandler), Metrics: io.Discard})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{env.Name + `: deployment name "Data.Sink"`, "streams[0].name", "streams[1].format"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not say %q:\n%v", want, err)
		}
	}
}

// TestTheFunctionAsWired sends an event through the handler and the real clients to a
// Firehose whose first answer is a failure.
func TestTheFunctionAsWired(t *testing.T) {
	streams, err := stream.Load("../../streams.json")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var calls []cloud.Call
	aws := awstest.StartForTest(t, awstest.Options{
		Dir: dir, Buckets: []string{"bucket"}, Deployment: "datasink", Streams: streams,
		Faults: &cloud.Faults{Inject: func(c cloud.Call) (f cloud.Fault) {
			if calls = append(calls, c); len(calls) == 1 {
				f.Fail = cloud.Status500
			}
			return f
		}},
	})
	awstest.Setenv(t, aws.URL)
	vars := map[string]string{env.Name: "datasink", env.ArchiveBucket: "bucket", env.Streams: "../../streams.json"}
	var metrics bytes.Buffer
	h, err := newHandler(t.Context(), &function.Process{Getenv: getenv(vars), Log: slog.New(slog.DiscardHandler), Metrics: &metrics})
	if err != nil {
		t.Fatal(err)
	}
	event := cloud.KinesisEvent(cloud.EventRecord{Stream: "datasink.orders", Record: cloud.Record{SequenceNumber: "1", ArrivedAt: time.Now(), Data: []byte("a")}})
	answer, err := h.Invoke(t.Context(), event)
	if err != nil || string(answer) != `{"batchItemFailures":[]}` {
		t.Fatalf("Invoke = %s, %v, want no failures", answer, err)
	}
	if len(calls) != 2 || calls[0] != calls[1] || calls[0].Operation != "PutRecordBatch" || calls[0].Resource != "datasink.orders" {
		t.Errorf("calls %+v, want one and its repetition", calls)
	}
	if err := aws.Firehose.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s3test.Joined(s3test.Objects(t, filepath.Join(dir, "bucket"))); got != "a\n" {
		t.Errorf("the archive contains %q, want one line", got)
	}
	got := slices.DeleteFunc(metrictest.Texts(metrictest.Read(t, metrics.Bytes())), func(text string) bool {
		return strings.HasPrefix(text, "FirehoseAge ") // depends on the clock
	})
	if diff := cmp.Diff([]string{"Bridged Service=datasink: 1", "Packed Service=datasink: 1"}, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}
