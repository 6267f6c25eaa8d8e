package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/function"
	"github.com/data-sink/data-sink/internal/rig/metrictest"
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

// TestTheFunctionAsWired sends an event through the handler and the real clients
// to a Firehose on loopback whose first answer is a failure.
func TestTheFunctionAsWired(t *testing.T) {
	type request struct {
		DeliveryStreamName string
		Records            []struct{ Data []byte }
	}
	var requests []request
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var got request
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || r.Header.Get("X-Amz-Target") != "Firehose_20150804.PutRecordBatch" {
			t.Errorf("%s %s: %v", r.Method, r.Header.Get("X-Amz-Target"), err)
		}
		requests = append(requests, got)
		if len(requests) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"__type":"ServiceUnavailableException"}`)
			return
		}
		_, _ = io.WriteString(w, `{"FailedPutCount":0,"RequestResponses":[{"RecordId":"1"}]}`)
	}))
	t.Cleanup(service.Close)
	absent := filepath.Join(t.TempDir(), "absent")
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": service.URL, "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key",
		"AWS_CONFIG_FILE": absent, "AWS_SHARED_CREDENTIALS_FILE": absent, "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
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
	one := request{DeliveryStreamName: "datasink.orders", Records: []struct{ Data []byte }{{[]byte("a\n")}}}
	if diff := cmp.Diff([]request{one, one}, requests); diff != "" {
		t.Errorf("requests, the second a repetition of the first (-want +got):\n%s", diff)
	}
	got := slices.DeleteFunc(metrictest.Texts(metrictest.Read(t, metrics.Bytes())), func(text string) bool {
		return strings.HasPrefix(text, "FirehoseAge ") // depends on the clock
	})
	if diff := cmp.Diff([]string{"Bridged Service=datasink: 1", "Packed Service=datasink: 1"}, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}
