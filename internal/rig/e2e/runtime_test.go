//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	local "github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/awstest"
	"github.com/data-sink/data-sink/internal/rig/redistest"
)

// lambdas are the three functions under AWS's Runtime Interface Emulator, with a
// real Redis and an AWS endpoint of this process.
type lambdas struct {
	aws *awstest.Server
	// addresses are the addresses of the emulators, by function.
	addresses map[string]string
}

const (
	clientsSecret = `{"datasink":"open sesame"}`
	redisPassword = "friend"
	archiveBucket = "archive"
	wakePath      = "/" + account + "/wake"

	runtimeStreams = `{"streams":[{"name":"orders","compression":"none"}]}`
)

// TestLambdaRuntime sends records through the functions as they are deployed, run by
// the emulator of AWS's Lambda images, with the events of API Gateway, SQS, the
// schedule and Kinesis.
func TestLambdaRuntime(t *testing.T) {
	t.Parallel()
	l := startLambdas(t)

	var accepted events.APIGatewayV2HTTPResponse
	l.invoke(t, "ingest", postEvent(t, "orders", "datasink", "open sesame", []byte("woken")), &accepted)
	if accepted.StatusCode != http.StatusAccepted || !strings.Contains(accepted.Body, `"id"`) {
		t.Fatalf("POST: %+v", accepted)
	}
	if dead := l.deliverWakeUps(t); dead > 0 {
		t.Errorf("the drainer failed on %d wake-ups", dead)
	}

	l.invoke(t, "ingest", postEvent(t, "orders", "datasink", "open sesame", []byte("swept")), &accepted)
	var inspection drain.Inspection
	l.invoke(t, "drainer", drain.InspectEvent, &inspection)
	if depth := inspection.Streams["orders"].Depth; depth != 1 {
		t.Errorf("%d records queued, want 1: %+v", depth, inspection)
	}
	l.invoke(t, "drainer", drain.SweepEvent, nil)

	records, err := l.aws.Records(t.Context(), "datasink.orders")
	if err != nil || len(records) != 2 {
		t.Fatalf("%d records in Kinesis, %v, want 2", len(records), err)
	}
	l.deliverRecords(t)
	if got := l.archived(t, "orders/"); got != "woken\nswept\n" {
		t.Errorf("the archive contains %q, want both bodies as lines", got)
	}
}

// TestLambdaRuntimeAfterFailures checks that the functions survive invalid events
// and still answer correctly.
func TestLambdaRuntimeAfterFailures(t *testing.T) {
	t.Parallel()
	l := startLambdas(t)
	for _, function := range []string{"ingest", "drainer", "bridge"} {
		if _, err := l.function(function).Invoke(t.Context(), []byte(`"not an event"`)); err == nil {
			t.Errorf("%s: an invalid event: no error", function)
		}
	}
	var answer events.APIGatewayV2HTTPResponse
	l.invoke(t, "ingest", postEvent(t, "orders", "datasink", "wrong", []byte("x")), &answer)
	if answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("a wrong password: %+v", answer)
	}
	l.invoke(t, "ingest", healthEvent, &answer)
	if answer.StatusCode != http.StatusOK {
		t.Errorf("health: %+v", answer)
	}
	if _, err := l.aws.Queues[wakePath].Send(t.Context(), "not a wake-up", 0); err != nil {
		t.Fatal(err)
	}
	if dead := l.deliverWakeUps(t); dead != 1 {
		t.Errorf("an invalid wake-up: %d dead letters, want 1", dead)
	}
}

func startLambdas(t *testing.T) *lambdas {
	t.Helper()
	redis := redistest.Start(t, "--requirepass", redisPassword)
	streams, err := stream.Parse([]byte(runtimeStreams))
	if err != nil {
		t.Fatal(err)
	}
	aws, err := awstest.Start(awstest.Options{
		Dir: t.TempDir(), Buckets: []string{archiveBucket}, Queues: []string{wakePath}, Deployment: "datasink", Streams: streams,
		Secrets: map[string]string{"clients": clientsSecret, "redis": redisPassword},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(aws.Close)
	l := &lambdas{aws: aws, addresses: make(map[string]string)}
	settings := map[string]string{
		env.Name: "datasink", env.ArchiveBucket: archiveBucket, env.RedisURL: redis.URL, env.RedisSecret: "redis",
		env.ClientsSecret: "clients", env.WakeQueueURL: aws.URL + wakePath, env.PushTimeout: "5s",
		"AWS_ENDPOINT_URL": aws.URL, "AWS_REGION": region, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
		"AWS_LAMBDA_FUNCTION_TIMEOUT": "30", "PATH": os.Getenv("PATH"),
	}
	for function, dir := range buildFunctions(t) {
		l.addresses[function] = startRuntime(t, function, dir, settings)
	}
	return l
}

// buildFunctions builds the functions as the CDK app does, but for this machine, and
// returns the folder of each.
func buildFunctions(t *testing.T) map[string]string {
	t.Helper()
	dirs := make(map[string]string)
	into := t.TempDir()
	for _, function := range []string{"ingest", "drainer", "bridge"} {
		dirs[function] = filepath.Join(into, function)
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w -buildid=",
			"-o", filepath.Join(dirs[function], "bootstrap"), "./functions/"+function)
		cmd.Dir = root(t)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		run(t, commandLimit, cmd)
		if err := os.WriteFile(filepath.Join(dirs[function], "streams.json"), []byte(runtimeStreams), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dirs
}

// startRuntime starts a function under the Runtime Interface Emulator, and returns
// the address for invocations.
func startRuntime(t *testing.T, function, dir string, settings map[string]string) string {
	t.Helper()
	address := "127.0.0.1:" + strconv.Itoa(freePort(t))
	cmd := exec.Command(runtimeEmulator(t), "--runtime-interface-emulator-address", address,
		"--runtime-api-address", "127.0.0.1:"+strconv.Itoa(freePort(t)), filepath.Join(dir, "bootstrap"))
	cmd.Dir = dir
	cmd.Env = []string{"AWS_LAMBDA_FUNCTION_NAME=datasink-" + function}
	for name, value := range settings {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	p := start(t, cmd)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of %s:\n%s", function, p.log.tail(40))
		}
	})
	await(t, started, "the runtime of "+function, func() error {
		response, err := http.Get("http://" + address + "/")
		if err == nil {
			_ = response.Body.Close()
		}
		return err
	})
	return address
}

// runtimeEmulator returns the path of the emulator, which the package of the SAM CLI
// contains.
func runtimeEmulator(t *testing.T) string {
	t.Helper()
	python := tool(t, "E2E_SAM_PYTHON", ".tools/sam/bin/python")
	name := map[string]string{"amd64": "aws-lambda-rie-x86_64", "arm64": "aws-lambda-rie-arm64"}[runtime.GOARCH]
	find := exec.Command(python, "-c", "import os, samcli; print(os.path.dirname(samcli.__file__))")
	out, err := find.Output()
	if err != nil {
		t.Fatalf("finding the SAM CLI of %s: %v", python, err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "local", "rapid", name)
}

// lambdaURL is the URL of a function's invocations, which an event source mapping
// invokes.
type lambdaURL string

var _ local.Invoker = lambdaURL("")

// Invoke returns the function's response or its error.
func (u lambdaURL) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, string(u), bytes.NewReader(event))
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && (response.StatusCode != http.StatusOK || bytes.Contains(body, []byte(`"errorMessage"`))) {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return body, err
}

func (l *lambdas) function(name string) lambdaURL {
	return lambdaURL("http://" + l.addresses[name] + "/2015-03-31/functions/function/invocations")
}

// invoke invokes a function and decodes its response.
func (l *lambdas) invoke(t *testing.T, function, event string, into any) {
	t.Helper()
	body, err := l.function(function).Invoke(t.Context(), []byte(event))
	if err == nil && into != nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", function, err)
	}
}

// deliverWakeUps delivers the wake-ups to the drainer, once each, until the queue of
// wake-ups is empty, and returns the number of dead letters.
func (l *lambdas) deliverWakeUps(t *testing.T) int {
	t.Helper()
	queue := l.aws.Queues[wakePath]
	if queue.Len() == 0 {
		t.Fatal("no wake-up")
	}
	m := local.NewQueueMapping(local.QueueMappingOptions{
		Queue: queue, Function: l.function("drainer"), Concurrency: 1, Visibility: time.Minute, MaxReceives: 1, Log: slog.New(slog.DiscardHandler),
	})
	runUntil(t, m.Run, "the wake-ups to be delivered", func() bool { return queue.Len() == 0 })
	return m.DeadLetters()
}

// deliverRecords delivers the records in Kinesis to the bridge.
func (l *lambdas) deliverRecords(t *testing.T) {
	t.Helper()
	m, err := l.aws.OpenMapping(local.MappingOptions{Stream: "datasink.orders", Function: l.function("bridge")})
	if err != nil {
		t.Fatal(err)
	}
	runUntil(t, m.Run, "the records to be delivered", func() bool { return m.Behind() == 0 })
}

// runUntil runs an event source mapping until a condition holds.
func runUntil(t *testing.T, run func(context.Context), what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { run(ctx) })
	await(t, time.Minute, what, func() error {
		if !holds() {
			return errors.New("not yet")
		}
		return nil
	})
	cancel()
	running.Wait()
}

// archived returns the concatenation of all objects under a prefix.
func (l *lambdas) archived(t *testing.T, prefix string) string {
	t.Helper()
	if err := l.aws.Firehose.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	archive := l.aws.Buckets[archiveBucket]
	keys, err := archive.Keys(prefix)
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for _, key := range keys {
		f, _, err := archive.GetObject(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := all.ReadFrom(f); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	return all.String()
}
