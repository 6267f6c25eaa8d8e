package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/function"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/rig/awstest"
	"github.com/data-sink/data-sink/internal/rig/redistest"
)

func TestInitListsEveryMissingSetting(t *testing.T) {
	t.Parallel()
	_, err := newHandler(t.Context(), &function.Process{Getenv: func(string) string { return "" }, Log: slog.New(slog.DiscardHandler), Metrics: io.Discard})
	if err == nil {
		t.Fatal("an ingest without settings: no error")
	}
	for _, s := range env.Settings(env.ParseIngest) {
		if s.Required && !strings.Contains(err.Error(), s.Name+": missing") {
			t.Errorf("the error does not name %s:\n%v", s.Name, err)
		}
	}
	if !strings.Contains(err.Error(), "streams.json") {
		t.Errorf("the error does not name the missing streams.json:\n%v", err)
	}
}

func TestInitRefusesAMalformedURL(t *testing.T) {
	t.Parallel()
	settings := map[string]string{
		env.Name: "datasink", env.Streams: "../../streams.json", env.ArchiveBucket: "bucket", env.RedisURL: "redis://127.0.0.1:1?cluster=perhaps",
		env.WakeQueueURL: "http://127.0.0.1:1/queue", env.ClientsSecret: "clients",
	}
	if _, err := newHandler(t.Context(), &function.Process{Getenv: lookup(settings), Log: slog.New(slog.DiscardHandler), Metrics: io.Discard}); err == nil || !strings.Contains(err.Error(), "perhaps") {
		t.Errorf("newHandler = %v, want an error that names the parameter", err)
	}
}

func lookup(settings map[string]string) func(string) string {
	return func(name string) string { return settings[name] }
}

// startAWS starts an AWS with the secrets.
func startAWS(t *testing.T, secrets map[string]string) *awstest.Server {
	t.Helper()
	return awstest.StartForTest(t, awstest.Options{Dir: t.TempDir(), Buckets: []string{"bucket"}, Queues: []string{"/queue"}, Secrets: secrets})
}

// objects returns the number of objects in the archive.
func objects(t *testing.T, aws *awstest.Server) int {
	t.Helper()
	keys, err := aws.Buckets["bucket"].Keys("")
	if err != nil {
		t.Fatal(err)
	}
	return len(keys)
}

// start starts the function with a real Redis.
func start(t *testing.T, aws *awstest.Server, redisURL string) (post func() int, logs *bytes.Buffer) {
	t.Helper()
	awstest.Setenv(t, aws.URL)
	logs = new(bytes.Buffer)
	h, err := newHandler(t.Context(), &function.Process{Getenv: lookup(map[string]string{
		env.Name: "datasink", env.Streams: "../../streams.json", env.ArchiveBucket: "bucket", env.RedisURL: redisURL, env.RedisSecret: "redis",
		env.WakeQueueURL: aws.URL + "/queue", env.ClientsSecret: "clients", env.PushTimeout: "2s",
	}), Log: slog.New(slog.NewTextHandler(logs, nil)), Metrics: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	return func() int {
		t.Helper()
		event := `{"rawPath":"/archives/orders","headers":{"authorization":"Basic ZGF0YXNpbms6aHVudGVyMg=="},"requestContext":{"http":{"method":"POST"}},"body":"hello"}`
		out, err := h.Invoke(t.Context(), []byte(event))
		if err != nil {
			t.Fatal(err)
		}
		var answer struct{ StatusCode int }
		if err := json.Unmarshal(out, &answer); err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode
	}, logs
}

func TestARecordReachesRedis(t *testing.T) {
	redis := redistest.Start(t, "--requirepass", "Zecret")
	aws := startAWS(t, map[string]string{"clients": `{"datasink":"hunter2"}`, "redis": "Zecret"})
	post, logs := start(t, aws, redis.URL)
	if status := post(); status != http.StatusAccepted || objects(t, aws) != 0 {
		t.Errorf("status = %d with %d objects in S3, want 202 and the record in Redis", status, objects(t, aws))
	}
	if logs.Len() != 0 {
		t.Errorf("logged %s", logs)
	}
	q, err := queue.Open(queue.Options{Deployment: "datasink", URL: redis.URL, Password: "Zecret"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = q.Close() }()
	if state, err := q.Inspect(t.Context(), "orders"); err != nil || state.Depth != 1 {
		t.Errorf("Inspect = %+v, %v, want one record", state, err)
	}
}

// A record that Redis refuses for lack of a permission becomes a direct record, and the log names the permission.
func TestMissingPermissionsAreLogged(t *testing.T) {
	redis := redistest.Start(t, "--user", "default", "on", ">Zecret", "~*", "+@all", "-rpush")
	aws := startAWS(t, map[string]string{"clients": `{"datasink":"hunter2"}`, "redis": "Zecret"})
	post, logs := start(t, aws, redis.URL)
	if status := post(); status != http.StatusAccepted || objects(t, aws) != 1 {
		t.Errorf("status = %d with %d objects in S3, want 202 and a direct record", status, objects(t, aws))
	}
	if want := "redis_permissions_missing"; strings.Count(logs.String(), want) != 1 || !strings.Contains(logs.String(), "RPUSH") {
		t.Errorf("want one line %s that names RPUSH in the log:\n%s", want, logs)
	}
}

// The function starts and answers 503 while Secrets Manager is unavailable.
func TestInitNeedsNoAvailableService(t *testing.T) {
	redis := redistest.Start(t, "--requirepass", "Zecret")
	aws := startAWS(t, nil)
	post, logs := start(t, aws, redis.URL)
	if status := post(); status != http.StatusServiceUnavailable {
		t.Errorf("status without clients = %d, want 503", status)
	}
	for _, line := range []string{"queue_unreachable_at_init", "credentials_unusable_at_init", "credentials_refresh_failed"} {
		if !strings.Contains(logs.String(), line) {
			t.Errorf("no line %s in the log:\n%s", line, logs)
		}
	}
}

func TestWithoutRedisCredentialsRecordsGoToTheArchive(t *testing.T) {
	redis := redistest.Start(t, "--requirepass", "Zecret")
	aws := startAWS(t, map[string]string{"clients": `{"datasink":"hunter2"}`})
	post, _ := start(t, aws, redis.URL)
	if status := post(); status != http.StatusAccepted || objects(t, aws) != 1 {
		t.Errorf("status = %d with %d objects in S3, want 202 and one", status, objects(t, aws))
	}
	aws.Secrets.Set("redis", "Zecret")
	depth := func() int64 {
		if status := post(); status != http.StatusAccepted {
			t.Errorf("status = %d, want 202", status)
		}
		q, err := queue.Open(queue.Options{Deployment: "datasink", URL: redis.URL, Password: "Zecret"})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = q.Close() }()
		state, err := q.Inspect(t.Context(), "orders")
		if err != nil {
			t.Fatal(err)
		}
		return state.Depth
	}
	for end := time.Now().Add(time.Minute); depth() == 0; {
		if time.Now().After(end) {
			t.Fatal("no record has reached Redis a minute after the secret was available")
		}
	}
}

// A record becomes a direct record while Redis has fewer replicas than
// min-replicas-to-write demands.
func TestTooFewReplicasMakeADirectRecord(t *testing.T) {
	redis := redistest.Start(t, "--requirepass", "Zecret", "--min-replicas-to-write", "1")
	aws := startAWS(t, map[string]string{"clients": `{"datasink":"hunter2"}`, "redis": "Zecret"})
	post, _ := start(t, aws, redis.URL)
	if status := post(); status != http.StatusAccepted || objects(t, aws) != 1 {
		t.Errorf("status = %d with %d objects in S3, want 202 and one", status, objects(t, aws))
	}
}
