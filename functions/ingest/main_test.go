package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/function"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
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

// fakeAWS answers as Secrets Manager, S3 and SQS. It counts the objects put to S3.
type fakeAWS struct {
	secrets map[string]string // nil: Secrets Manager is unavailable
	objects int
}

func (f *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		SecretID string `json:"SecretId"`
	}
	switch target := r.Header.Get("X-Amz-Target"); {
	case r.Method == http.MethodPut:
		f.objects++
	case target == "secretsmanager.GetSecretValue" && f.secrets != nil:
		if json.NewDecoder(r.Body).Decode(&in) != nil || f.secrets[in.SecretID] == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"SecretString": f.secrets[in.SecretID]})
	case strings.HasPrefix(target, "AmazonSQS."):
		_, _ = w.Write([]byte(`{}`))
	default:
		w.WriteHeader(http.StatusBadRequest)
	}
}

// start starts the function with a fake AWS and a real Redis.
func start(t *testing.T, aws *fakeAWS, redisURL string) (post func() int, logs *bytes.Buffer) {
	t.Helper()
	server := httptest.NewServer(aws)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_MAX_ATTEMPTS": "1",
		"AWS_CONFIG_FILE": "absent", "AWS_SHARED_CREDENTIALS_FILE": "absent",
	} {
		t.Setenv(name, value)
	}
	logs = new(bytes.Buffer)
	h, err := newHandler(t.Context(), &function.Process{Getenv: lookup(map[string]string{
		env.Name: "datasink", env.Streams: "../../streams.json", env.ArchiveBucket: "bucket", env.RedisURL: redisURL, env.RedisSecret: "redis",
		env.WakeQueueURL: server.URL + "/queue", env.ClientsSecret: "clients", env.PushTimeout: "2s",
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
	aws := &fakeAWS{secrets: map[string]string{"clients": `{"datasink":"hunter2"}`, "redis": "Zecret"}}
	post, logs := start(t, aws, redis.URL)
	if status := post(); status != http.StatusAccepted || aws.objects != 0 {
		t.Errorf("status = %d with %d objects in S3, want 202 and the record in Redis", status, aws.objects)
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
	aws := &fakeAWS{secrets: map[string]string{"clients": `{"datasink":"hunter2"}`, "redis": "Zecret"}}
	post, logs := start(t, aws, redis.URL)
	if status := post(); status != http.StatusAccepted || aws.objects != 1 {
		t.Errorf("status = %d with %d objects in S3, want 202 and a direct record", status, aws.objects)
	}
	if want := "redis_permissions_missing"; strings.Count(logs.String(), want) != 1 || !strings.Contains(logs.String(), "RPUSH") {
		t.Errorf("want one line %s that names RPUSH in the log:\n%s", want, logs)
	}
}

// The function starts and answers 503 while Secrets Manager is unavailable.
func TestInitNeedsNoAvailableService(t *testing.T) {
	redis := redistest.Start(t, "--requirepass", "Zecret")
	aws := &fakeAWS{}
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
	aws := &fakeAWS{secrets: map[string]string{"clients": `{"datasink":"hunter2"}`}}
	post, _ := start(t, aws, redis.URL)
	if status := post(); status != http.StatusAccepted || aws.objects != 1 {
		t.Errorf("status = %d with %d objects in S3, want 202 and one", status, aws.objects)
	}
	aws.secrets["redis"] = "Zecret"
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
	aws := &fakeAWS{secrets: map[string]string{"clients": `{"datasink":"hunter2"}`, "redis": "Zecret"}}
	post, _ := start(t, aws, redis.URL)
	if status := post(); status != http.StatusAccepted || aws.objects != 1 {
		t.Errorf("status = %d with %d objects in S3, want 202 and one", status, aws.objects)
	}
}
