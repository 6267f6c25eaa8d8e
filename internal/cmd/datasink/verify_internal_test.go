package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/deployment"
	"github.com/data-sink/data-sink/internal/operate/verify"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/s3test"
	"github.com/google/go-cmp/cmp"
)

// TestStreamsAreKnownWithoutRedis asks for streams while no queue can be inspected.
func TestStreamsAreKnownWithoutRedis(t *testing.T) {
	t.Parallel()
	client := s3test.Start(t, s3test.Options{})
	store := archive.NewS3(client, s3test.Bucket)
	for _, key := range []string{"older/dt=2026-11-22/hour=23/a", "failed/drainer/orders/b", "aws/lambda/c", "_manifests/orders/d"} {
		if err := store.Put(t.Context(), key, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	streams := filepath.Join(t.TempDir(), "streams.json")
	if err := os.WriteFile(streams, []byte(`{"streams":[{"name":"orders"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	a := deployment.Archive{Bucket: bucket.New(client, s3test.Bucket), Store: store}
	v := verifyVerb{streamsFile: streamsFile{Streams: streams}}
	listed, err := v.streamsFile.names()
	if err != nil {
		t.Fatal(err)
	}
	all, err := v.names(t.Context(), a, drain.Inspection{}, listed)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"older", "orders"}, all); diff != "" {
		t.Errorf("streams differ (-want +got):\n%s", diff)
	}
	v.Stream = []string{"order"}
	const want = `no stream "order" in this deployment; its streams are: older, orders`
	if _, err := v.names(t.Context(), a, drain.Inspection{}, listed); err == nil || err.Error() != want {
		t.Errorf("names of an unknown stream = %v, want %s", err, want)
	}
}

// settling is a target whose records take a minute to the archive.
type settling struct{ deployment.Target }

func (settling) Settle(stream.Stream) time.Duration { return time.Minute }

// TestManifestsEndWhereTheVerificationBegan has a report of two hours. The second hour was
// not over, or not settled, when the verification began.
func TestManifestsEndWhereTheVerificationBegan(t *testing.T) {
	t.Parallel()
	client := s3test.Start(t, s3test.Options{})
	a := deployment.Archive{Bucket: bucket.New(client, s3test.Bucket), Store: archive.NewS3(client, s3test.Bucket)}
	v := verifyVerb{streamsFile: streamsFile{Streams: filepath.Join(t.TempDir(), "streams.json")}}
	if err := os.WriteFile(v.Streams, []byte(`{"streams":[{"name":"orders"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	first := time.Date(2026, 11, 22, 7, 0, 0, 0, time.UTC)
	r := &verify.Report{Stream: "orders", From: first, To: first.Add(2 * time.Hour)}
	for _, tt := range []struct {
		began time.Time
		want  []string
		says  string
	}{
		{first.Add(time.Hour), nil, "no whole hour (UTC) of the period has been over for 1m0s and has no difference"},
		{first.Add(90 * time.Minute), []string{"hour=07.json", "hour=07.txt"}, "wrote a manifest of orders, 2026-11-22T07"},
		{first.Add(2 * time.Hour), []string{"hour=07.json", "hour=07.txt"}, "each complete hour of the period has its manifests"},
		{first.Add(2*time.Hour + time.Minute), []string{"hour=07.json", "hour=07.txt", "hour=08.json", "hour=08.txt"}, "wrote a manifest of orders, 2026-11-22T08"},
	} {
		var says bytes.Buffer
		if err := v.writeManifests(t.Context(), console{err: &says}, settling{}, a, r, tt.began); err != nil {
			t.Fatal(err)
		}
		if strings.Count(says.String(), "\n") != 1 || !strings.Contains(says.String(), tt.says) {
			t.Errorf("verification from %s says %q, want %q", tt.began, &says, tt.says)
		}
		const folder = "_manifests/orders/dt=2026-11-22/"
		var got []string
		for o, err := range a.List(t.Context(), folder) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, strings.TrimPrefix(o.Key, folder))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("verification from %s: manifests differ (-want +got):\n%s", tt.began, diff)
		}
	}
}

func TestReportCountsInTheSingular(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	one := verify.Count{Records: 1, Packed: 1, Objects: 1}
	printReport(&out, &verify.Report{
		Queue: &verify.Queue{Accepted: 1, DeadLettered: 1}, Tap: &one, Bridged: one, Archived: one, Read: one, DeadLettered: one,
		Direct: map[archive.Reason]verify.Count{archive.Fallback: one}, DirectUnlogged: []string{"key"},
	})
	for _, plural := range []string{"1 records", "1 packed records", "1 objects", "1 dead letters", "1 direct records"} {
		if strings.Contains(out.String(), plural) {
			t.Errorf("the report has %q in:\n%s", plural, out.String())
		}
	}
	if !strings.Contains(out.String(), "1 accepted since Redis started") {
		t.Errorf("the report does not say what the counters of the queue cover:\n%s", out.String())
	}
}
