package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/readmetest"
)

var update = flag.Bool("update", false, "rewrite the examples in internal/operate/tap/README.md")

// start runs a local pipeline with the stream orders. post posts records to it, and
// returns the number of all records.
func start(t *testing.T, shards int) (kinesisURL string, post func(bodies ...string) int) {
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
	all := 0
	return "http://" + p.AWSAddr().String(), func(bodies ...string) int {
		t.Helper()
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
			all++
		}
		return all
	}
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

// programs returns the command lines of the program in Go in a folder, and of the one in
// Python beside it.
func programs(t *testing.T, folder, script string) map[string][]string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "program")
	if out, err := exec.Command("go", "build", "-o", binary, folder).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	script, err := filepath.Abs(filepath.Join(folder, script))
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]string{"Go": {binary}, "boto3": {tool(t, ".tools/clients/bin/python"), script}}
}

// consume runs a consumer in a folder until it has printed n lines and saved the
// positions, if positions is not nil. It returns the lines.
func consume(t *testing.T, command []string, dir, url string, n int, positions map[string]string) (lines []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], append(command[1:], "datasink.orders")...)
	cmd.Dir, cmd.Env = dir, append(withoutAWS(os.Environ()), exported(t, url)...)
	var failure strings.Builder
	cmd.Stderr = &failure
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for scanner := bufio.NewScanner(out); len(lines) < n && scanner.Scan(); {
		lines = append(lines, scanner.Text())
	}
	var saved map[string]string
	for ctx.Err() == nil && !maps.Equal(saved, positions) {
		saved = nil
		if content, err := os.ReadFile(filepath.Join(dir, "datasink.orders.json")); err == nil {
			if err := json.Unmarshal(content, &saved); err != nil {
				t.Fatalf("the positions %q: %v", content, err)
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	_ = cmd.Wait() // It was killed.
	if len(lines) < n || !maps.Equal(saved, positions) {
		t.Fatalf("the consumer printed %q and saved %v, want %v\n%s", lines, saved, positions, failure.String())
	}
	return lines
}

// lastRecords returns the sequence number of the last record of each shard, when the
// stream has n records.
func lastRecords(t *testing.T, url string, n int) map[string]string {
	t.Helper()
	client := kinesis.New(kinesis.Options{Region: "us-east-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("any", "any", "")})
	shards, err := client.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: aws.String("datasink.orders")})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		last, count := make(map[string]string), 0
		for _, s := range shards.Shards {
			first, err := client.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{StreamName: aws.String("datasink.orders"), ShardId: s.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
			if err != nil {
				t.Fatal(err)
			}
			page, err := client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: first.ShardIterator})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Records {
				last[*s.ShardId] = *r.SequenceNumber
				count++
			}
		}
		if count == n {
			return last
		}
	}
	t.Fatalf("waited a minute for %d records on the tap", n)
	return nil
}

// wantPrinted checks the lines of a program that prints keys and bodies, in any order.
// The key of each record is its body.
func wantPrinted(t *testing.T, lines []string, bodies ...string) {
	t.Helper()
	var want []string
	for _, body := range bodies {
		want = append(want, body+" "+body)
	}
	slices.Sort(lines)
	slices.Sort(want)
	if !slices.Equal(lines, want) {
		t.Errorf("the program printed %q, want %q", lines, want)
	}
}

// TestReadersPrintEveryRecord runs the short examples against the local pipeline.
func TestReadersPrintEveryRecord(t *testing.T) {
	t.Parallel()
	for name, command := range programs(t, "../reader", "reader.py") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, post := start(t, 2)
			post("one", "two", "three")
			wantPrinted(t, consume(t, command, t.TempDir(), url, 3, nil), "one", "two", "three")
		})
	}
}

// TestConsumersContinue runs the long examples twice against the local pipeline.
func TestConsumersContinue(t *testing.T) {
	t.Parallel()
	for name, command := range programs(t, ".", "consumer.py") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, post := start(t, 2)
			dir := t.TempDir()
			for _, bodies := range [][]string{{"one", "two", "three"}, {"four", "five"}} {
				post(bodies...)
				wantPrinted(t, consume(t, command, dir, url, len(bodies), lastRecords(t, url, post())), bodies...)
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
	url, post := start(t, 1)
	post("one", "two")
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
	for path, most := range map[string]int{"main.go": 145, "consumer.py": 60, "function.yaml": 80, "../reader/main.go": 50, "../reader/reader.py": 25} {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(content), "\n"); n > most {
			t.Errorf("%s has %d lines, want %d at most", path, n, most)
		}
		name := strings.TrimPrefix(path, "../")
		language := strings.TrimPrefix(filepath.Ext(name), ".")
		readmetest.Section(t, "../../operate/tap/README.md", name, "```"+language+"\n"+string(content)+"```\n", *update)
	}
}
