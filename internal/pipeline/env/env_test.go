package env_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/google/go-cmp/cmp"
)

// required holds the variables without a default, with values as the stack sets
// them.
var required = map[string]string{
	env.Name: "datasink", env.ArchiveBucket: "bucket", env.RedisURL: "rediss://cache:6379?cluster=true",
	env.ClientsSecret: "arn:clients", env.WakeQueueURL: "https://sqs/queue",
	env.DrainerFunction: "datasink-drainer", env.DrainerLog: "/datasink/drainer", env.IngestLog: "/datasink/ingest",
}

func lookup(changes map[string]string) func(string) string {
	all := maps.Clone(required)
	maps.Copy(all, changes)
	return func(name string) string { return all[name] }
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	ingest, err := env.ParseIngest(lookup(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := env.Ingest{
		Base:        env.Base{Name: "datasink", Streams: "streams.json", ArchiveBucket: "bucket"},
		Redis:       env.Redis{URL: "rediss://cache:6379?cluster=true"},
		Wake:        env.Wake{QueueURL: "https://sqs/queue", Interval: time.Second},
		PushTimeout: 250 * time.Millisecond, IdempotencyWindow: time.Hour, ClientsSecret: "arn:clients", ClientsMaxAge: time.Minute, ClientsMaxStale: time.Hour,
		MaxBodyBytes: 4194304, MaxDecodedBytes: 16777216,
	}
	if diff := cmp.Diff(want, ingest); diff != "" {
		t.Errorf("ingest differs (-want +got):\n%s", diff)
	}
	if _, err := env.ParseDrainer(lookup(nil)); err != nil {
		t.Errorf("drainer: %v", err)
	}
	if _, err := env.ParseBridge(lookup(nil)); err != nil {
		t.Errorf("bridge: %v", err)
	}
	verifier, err := env.ParseVerifier(lookup(map[string]string{env.BridgeLog: "/datasink/bridge"}))
	wantVerifier := env.Verifier{
		Base: want.Base, DrainerFunction: "datasink-drainer", DrainerLog: "/datasink/drainer", BridgeLog: "/datasink/bridge", IngestLog: "/datasink/ingest", Every: time.Hour,
	}
	if err != nil || verifier != wantVerifier {
		t.Errorf("verifier: %+v, %v, want %+v", verifier, err, wantVerifier)
	}
	if v, err := env.ParseVerifier(lookup(nil)); err != nil || v.BridgeLog != "" {
		t.Errorf("verifier of a deployment without a bridge: %+v, %v", v, err)
	}
}

// Without the required variables, the defaults are those of a complete environment.
func TestDefaultsNeedNoEnvironment(t *testing.T) {
	t.Parallel()
	want, err := env.ParseDrainer(lookup(nil))
	if err != nil {
		t.Fatal(err)
	}
	want.Name, want.ArchiveBucket, want.Redis.URL, want.Wake.QueueURL = "", "", "", ""
	if diff := cmp.Diff(want, env.Defaults(env.ParseDrainer)); diff != "" {
		t.Errorf("defaults differ (-want +got):\n%s", diff)
	}
}

func TestEveryProblemIsListed(t *testing.T) {
	t.Parallel()
	_, err := env.ParseIngest(lookup(map[string]string{
		env.Name: "No.Name", env.ArchiveBucket: "", env.RedisURL: "redis://user:hunter2@host", env.WakeInterval: "1500ms",
		env.MaxBodyBytes: "-1", env.PushTimeout: "soon", env.StreamMetrics: "many", env.BypassQueue: "yes",
	}))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`DATASINK_NAME: deployment name "No.Name"`, "DATASINK_ARCHIVE_BUCKET: missing", "DATASINK_REDIS_URL: has credentials",
		"DATASINK_WAKE_INTERVAL: 1.5s: want whole seconds", `DATASINK_MAX_BODY_BYTES: "-1": want a whole number`, `DATASINK_PUSH_TIMEOUT: "soon": want a duration`,
		`DATASINK_STREAM_METRICS: "many": want few or all`, `DATASINK_BYPASS_QUEUE: "yes": want true or false`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not say %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("the error holds the password of the URL")
	}
}

func TestTheVerifierRunsEveryFewHours(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"90m": "DATASINK_VERIFY_EVERY: 1h30m0s: want whole hours", "-1h": `DATASINK_VERIFY_EVERY: "-1h": want a duration`,
	} {
		if _, err := env.ParseVerifier(lookup(map[string]string{env.VerifyEvery: value})); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("every %s: %v, want %s", value, err, want)
		}
	}
}

func TestAURLThatDoesNotParseStaysOutOfTheError(t *testing.T) {
	t.Parallel()
	_, err := env.ParseDrainer(lookup(map[string]string{env.RedisURL: "redis://:hunter2@ho st"}))
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error = %v, want one without the URL", err)
	}
	_, err = env.ParseDrainer(lookup(map[string]string{env.RedisURL: "http://host"}))
	if err == nil || !strings.Contains(err.Error(), `scheme "http"`) {
		t.Errorf("error = %v, want one that names the scheme", err)
	}
}

func TestSettingsAreWhatTheParserReads(t *testing.T) {
	t.Parallel()
	want := []env.Setting{
		{Name: env.Name, Required: true},
		{Name: env.Streams, Default: "streams.json"},
		{Name: env.ArchiveBucket, Required: true},
		{Name: env.Version},
		{Name: env.StreamMetrics, Default: "few"},
	}
	if diff := cmp.Diff(want, env.Settings(env.ParseBridge)); diff != "" {
		t.Errorf("settings of the bridge differ (-want +got):\n%s", diff)
	}
	drainer := env.Settings(env.ParseDrainer)
	if !contains(drainer, env.Setting{Name: env.Lease, Default: "20s"}) || !contains(drainer, env.Setting{Name: env.WakeQueueURL, Required: true}) {
		t.Errorf("settings of the drainer: %+v", drainer)
	}
}

func contains(settings []env.Setting, want env.Setting) bool {
	for _, s := range settings {
		if s == want {
			return true
		}
	}
	return false
}
