package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/rig/lambdatest"
	"github.com/data-sink/data-sink/internal/rig/metrictest"
	"github.com/data-sink/data-sink/internal/rig/redistest"
)

// output keeps the output of a process.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

// metrics returns the metrics in the output, which also contains text lines of the
// runtime.
func (o *output) metrics(t *testing.T) []metrictest.Point {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	var lines []byte
	for line := range bytes.Lines(o.b.Bytes()) {
		if json.Valid(line) {
			lines = append(lines, line...)
		}
	}
	return metrictest.Read(t, lines)
}

// An environment writes its pending counts when Lambda shuts it down.
func TestAnEnvironmentThatIsShutDownWritesItsCounts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bootstrap := filepath.Join(dir, "bootstrap")
	if out, err := exec.Command("go", "build", "-o", bootstrap, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	streams, err := filepath.Abs("../../streams.json")
	if err != nil {
		t.Fatal(err)
	}
	redis := redistest.Start(t)
	aws := startAWS(t, map[string]string{"clients": `{"datasink":"hunter2"}`})
	var printed output
	f := lambdatest.New(lambdatest.Options{
		Name: "datasink-ingest", Bootstrap: bootstrap, Dir: dir, Output: &printed,
		Env: func(int) []string {
			return []string{
				"AWS_ENDPOINT_URL=" + aws.URL, "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_LAMBDA_LOG_FORMAT=JSON",
				env.Name + "=datasink", env.Streams + "=" + streams, env.ArchiveBucket + "=bucket", env.RedisURL + "=" + redis.URL,
				env.WakeQueueURL + "=" + aws.URL + "/queue", env.ClientsSecret + "=clients", env.PushTimeout + "=2s",
			}
		},
	})
	t.Cleanup(f.Close)
	const records = 7
	for range records {
		event := `{"rawPath":"/archives/orders","headers":{"authorization":"Basic ZGF0YXNpbms6aHVudGVyMg=="},"requestContext":{"http":{"method":"POST"}},"body":"hello"}`
		if _, err := f.Invoke(t.Context(), []byte(event)); err != nil {
			t.Fatal(err)
		}
	}
	accepted := func() (sum float64) {
		for _, p := range printed.metrics(t) {
			if p.Name == metric.Accepted.Name {
				sum += p.Values[0]
			}
		}
		return sum
	}
	if before := accepted(); before >= records {
		t.Fatalf("%v records in the lines before the shutdown, want fewer than %d", before, records)
	}
	if err := syscall.Kill(f.Processes()[0].PID(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); len(f.Processes()) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the process does not exit")
		}
	}
	if got := accepted(); got != records {
		t.Errorf("accepted %v in all lines, want %d", got, records)
	}
}
