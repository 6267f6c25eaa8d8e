package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/function"
	"github.com/data-sink/data-sink/internal/rig/awstest"
	"github.com/data-sink/data-sink/internal/rig/metrictest"
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
	for _, want := range []string{env.Name + ": missing", env.ArchiveBucket + ": missing", env.DrainerFunction + ": missing", env.DrainerLog + ": missing", env.IngestLog + ": missing", "open streams.json"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not say %q:\n%v", want, err)
		}
	}
}

// Without the log of the bridge, a verifier would miss what the bridge delivered.
func TestTheLogOfTheBridgeIsNeededForATap(t *testing.T) {
	t.Parallel()
	tapless := filepath.Join(t.TempDir(), "streams.json")
	if err := os.WriteFile(tapless, []byte(`{"streams":[{"name":"orders","tap":false}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for streams, want := range map[string]string{"../../streams.json": env.BridgeLog + ": missing", tapless: ""} {
		vars := map[string]string{
			env.Name: "datasink", env.ArchiveBucket: "archive", env.Streams: streams,
			env.DrainerFunction: "datasink-drainer", env.DrainerLog: "/datasink/drainer", env.IngestLog: "/datasink/ingest",
		}
		_, err := newHandler(t.Context(), &function.Process{Getenv: getenv(vars), Log: slog.New(slog.DiscardHandler), Metrics: io.Discard})
		if got := fmt.Sprint(err); want == "" && err != nil || !strings.Contains(got, want) {
			t.Errorf("%s: error %v, want %q", streams, err, want)
		}
	}
}

// amazon is Lambda, CloudWatch Logs and S3, with one object of orders.
type amazon struct {
	t           *testing.T
	key, object string
	logGroup    string
	line        string // of a packed record, in logGroup

	mu        sync.Mutex
	calls     []string
	manifests map[string][]byte
}

func (a *amazon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		a.t.Error(err)
	}
	call := r.Method + " " + r.URL.Path
	switch {
	case r.URL.Path == "/2015-03-31/functions/datasink-drainer/invocations" && string(body) == `{"inspect":true}`:
		fmt.Fprint(w, `{"streams":{"orders":{"accepted":1,"forwarded":1}}}`)
	case r.Header.Get("X-Amz-Target") == "Logs_20140328.FilterLogEvents":
		var in struct{ LogGroupName, FilterPattern string }
		if err := json.Unmarshal(body, &in); err != nil {
			a.t.Error(err)
		}
		call = "FilterLogEvents " + in.LogGroupName + " " + in.FilterPattern
		line := a.line
		if in.LogGroupName != a.logGroup {
			line = ""
		}
		fmt.Fprintf(w, `{"events":[{"message":%q}]}`, line)
	case strings.Contains(r.URL.Path, "/_manifests/"):
		call = r.Method + " manifest"
		a.serveManifest(w, r, body)
	case r.URL.Query().Get("list-type") == "2":
		call = "List"
		contents := ""
		if strings.HasPrefix(a.key, r.URL.Query().Get("prefix")) {
			contents = fmt.Sprintf("<Contents><Key>%s</Key><Size>%d</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>", a.key, len(a.object))
		}
		fmt.Fprintf(w, `<ListBucketResult><Name>archive</Name>%s<IsTruncated>false</IsTruncated></ListBucketResult>`, contents)
	case strings.HasSuffix(r.URL.Path, "/"+a.key) && r.Method == http.MethodGet:
		call = "Get"
		fmt.Fprint(w, a.object)
	default:
		a.t.Errorf("unexpected call %s %s %s", r.Method, r.URL, body)
		w.WriteHeader(http.StatusNotImplemented)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.Contains(a.calls, call) {
		a.calls = append(a.calls, call)
	}
}

// serveManifest keeps the manifests, each of which must be written as a new object.
func (a *amazon) serveManifest(w http.ResponseWriter, r *http.Request, body []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.Method == http.MethodGet {
		_, _ = w.Write(a.manifests[r.URL.Path])
		return
	}
	if r.Header.Get("If-None-Match") != "*" {
		a.t.Errorf("%s %s may replace an object", r.Method, r.URL)
	}
	if a.manifests == nil {
		a.manifests = make(map[string][]byte)
	}
	a.manifests[r.URL.Path] = body
}

// TestTheFunctionAsWired runs the handler on the real clients against an AWS on
// loopback: with all in order, the packed record logged by the bridge and then by the
// drainer, and with a changed byte.
func TestTheFunctionAsWired(t *testing.T) {
	const body = "one\n"
	logged := time.Now().UTC().Add(-2 * time.Hour).Truncate(time.Hour)
	a := &amazon{
		t: t, key: "orders/" + logged.Format("dt=2006-01-02/hour=15/") + "datasink.orders-1", object: body,
		line: fmt.Sprintf(`{"timestamp":%q,"message":"packed","stream":"orders","bytes":%d,"records":1,"hash":"%016x","firstSequence":"1","lastSequence":"1"}`,
			logged.Format(time.RFC3339), len(body), xxhash.Sum64String(body)),
	}
	service := httptest.NewServer(a)
	t.Cleanup(service.Close)
	awstest.Setenv(t, service.URL)
	vars := map[string]string{
		env.Name: "datasink", env.ArchiveBucket: "archive", env.Streams: "../../streams.json",
		env.DrainerFunction: "datasink-drainer", env.DrainerLog: "/datasink/drainer", env.BridgeLog: "/datasink/bridge", env.IngestLog: "/datasink/ingest", env.VerifyEvery: "24h",
	}
	var metrics bytes.Buffer
	h, err := newHandler(t.Context(), &function.Process{Getenv: getenv(vars), Log: slog.New(slog.DiscardHandler), Metrics: &metrics})
	if err != nil {
		t.Fatal(err)
	}
	event := fmt.Sprintf(`{"scheduledAt":%q}`, logged.Add(105*time.Minute).Format(time.RFC3339))
	for _, step := range []struct {
		logGroup, object string
		want             []string
	}{
		{"/datasink/bridge", body, []string{"Differences Service=datasink: 0", "Verified Service=datasink: 1"}},
		{"/datasink/drainer", body, []string{"Differences Service=datasink: 0", "Verified Service=datasink: 1"}},
		{"/datasink/bridge", "two\n", []string{"Differences Service=datasink: 1"}},
	} {
		a.logGroup, a.object = step.logGroup, step.object
		metrics.Reset()
		if answer, err := h.Invoke(t.Context(), []byte(event)); err != nil {
			t.Fatalf("Invoke = %s, %v", answer, err)
		}
		if got := metrictest.Texts(metrictest.Read(t, metrics.Bytes())); !slices.Equal(got, step.want) {
			t.Errorf("metrics %v, want %v", got, step.want)
		}
	}
	slices.Sort(a.calls)
	want := []string{
		`FilterLogEvents /datasink/bridge "packed"`, `FilterLogEvents /datasink/drainer "packed"`, `FilterLogEvents /datasink/ingest "record_archived"`, "GET manifest", "Get", "List",
		"POST /2015-03-31/functions/datasink-drainer/invocations", "PUT manifest",
	}
	if !slices.Equal(a.calls, want) {
		t.Errorf("calls %v, want %v and no others", a.calls, want)
	}
}
