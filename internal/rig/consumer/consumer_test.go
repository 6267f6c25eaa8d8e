package main

import (
	"bufio"
	"context"
	"flag"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/readmetest"
)

var update = flag.Bool("update", false, "rewrite the examples in internal/operate/tap/README.md")

// start runs a local pipeline and posts records to the stream orders.
func start(t *testing.T, bodies ...string) (kinesisURL string) {
	t.Helper()
	set, err := stream.Parse([]byte(`{"streams":[{"name":"orders","shards":2}]}`))
	if err != nil {
		t.Fatal(err)
	}
	p, err := local.Start(t.Context(), local.Options{
		Streams: set, Data: t.TempDir(), Addr: "127.0.0.1:0", AWSAddr: "127.0.0.1:0", User: "u", Password: "p",
		Flush: 50 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	for _, body := range bodies {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+p.Addr().String()+"/archives/orders?partition_key="+body, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("u", "p")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusAccepted {
			t.Fatalf("POST = %d, %v", response.StatusCode, err)
		}
	}
	return "http://" + p.AWSAddr().String()
}

// tool returns the path of an installed tool.
func tool(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../..", path))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is missing: make %s installs it", path, ".tools/clients/installed")
	}
	return path
}

// TestConsumersReadTheTap runs both examples against the local pipeline.
func TestConsumersReadTheTap(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "consumer")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for name, command := range map[string][]string{
		"Go":    {binary},
		"boto3": {tool(t, ".tools/clients/bin/python"), "consumer.py"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := start(t, "one", "two", "three")
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, command[0], append(command[1:], "datasink.orders")...)
			cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL_KINESIS="+url, "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
				"AWS_ACCESS_KEY_ID=any", "AWS_SECRET_ACCESS_KEY=any")
			var failure strings.Builder
			cmd.Stderr = &failure
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var lines []string
			for scanner := bufio.NewScanner(out); len(lines) < 3 && scanner.Scan(); {
				lines = append(lines, scanner.Text())
			}
			cancel()
			_ = cmd.Wait() // It was killed.
			slices.Sort(lines)
			if want := []string{"one one", "three three", "two two"}; !slices.Equal(lines, want) {
				t.Errorf("the consumer printed %q, want %q\n%s", lines, want, failure.String())
			}
		})
	}
}

func TestTheExamplesAreInTheREADME(t *testing.T) {
	t.Parallel()
	for name, most := range map[string]int{"main.go": 50, "consumer.py": 25} {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(content), "\n"); n > most {
			t.Errorf("%s has %d lines, want %d at most", name, n, most)
		}
		language := strings.TrimPrefix(filepath.Ext(name), ".")
		readmetest.Section(t, "../../operate/tap/README.md", name, "```"+language+"\n"+string(content)+"```\n", *update)
	}
}
