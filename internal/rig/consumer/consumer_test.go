package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
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

// start runs a local pipeline with the stream orders, and posts records to it.
func start(t *testing.T, shards int, bodies ...string) (kinesisURL string) {
	t.Helper()
	set, err := stream.Parse(fmt.Appendf(nil, `{"streams":[{"name":"orders","shards":%d}]}`, shards))
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
			url := start(t, 2, "one", "two", "three")
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, command[0], append(command[1:], "datasink.orders")...)
			cmd.Env = append(withoutAWS(os.Environ()), exported(t, url)...)
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

// localURL is the address of the local pipeline in the examples of READMEs.
const localURL = "http://127.0.0.1:8082"

// exported returns the variables that internal/operate/tap/README.md exports, with the
// URL of a pipeline.
func exported(t *testing.T, url string) []string {
	t.Helper()
	content, err := os.ReadFile("../../operate/tap/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(content), "\nexport ")
	line, _, _ := strings.Cut(rest, "\n")
	if !ok || !strings.Contains(line, localURL) {
		t.Fatalf("the README exports %q, want %s among the values", line, localURL)
	}
	return strings.Fields(strings.ReplaceAll(line, localURL, url))
}

// withoutAWS returns an environment without the variables that AWS SDKs read.
func withoutAWS(env []string) []string {
	env = slices.DeleteFunc(env, func(variable string) bool { return strings.HasPrefix(variable, "AWS_") })
	return append(env, "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
}

// TestExampleOfTheRootREADME runs the Python code of the root README, without any
// settings of AWS in the environment.
func TestExampleOfTheRootREADME(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, begun := strings.Cut(string(content), "\n```py\n")
	code, _, ended := strings.Cut(rest, "\n```\n")
	if !begun || !ended || !strings.Contains(code, localURL) {
		t.Fatalf("README.md has no Python code that reads from %s", localURL)
	}
	url := start(t, 1, "one", "two")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for { // The records reach the tap some time after the answer.
		cmd := exec.CommandContext(ctx, tool(t, ".tools/clients/bin/python"), "-c", strings.ReplaceAll(code, localURL, url))
		cmd.Env = withoutAWS(os.Environ())
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("the example: %v\n%s", err, out)
		}
		lines := strings.Fields(string(out))
		slices.Sort(lines)
		if slices.Equal(lines, []string{"one", "two"}) {
			return
		}
		if len(lines) > 2 {
			t.Fatalf("the example printed %q, want the lines one and two", lines)
		}
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
