package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
	"github.com/google/go-cmp/cmp"
)

func TestStreamsAddEditsTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "streams.json")
	const before = "{\n  \"streams\": [\n    {\"name\": \"orders\"}\n  ]\n}\n"
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	content := func() string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	dry := finish(t, command(t, "streams", "add", "page-views", "--shards=2", "--dry-run", "--streams="+path)).done(t)
	if !strings.Contains(dry, "datasink.page-views") || !strings.Contains(dry, "2 shards, 2000 records/s") || content() != before {
		t.Errorf("the dry run printed:\n%s", dry)
	}
	r := finish(t, command(t, "streams", "add", "page-views", "--capacity=on-demand", "--streams="+path, "--json"))
	if s := decoded[struct {
		Name, Capacity string
		BufferSeconds  int
	}](t, r); s.Name != "page-views" || s.Capacity != "on-demand" || s.BufferSeconds != 60 {
		t.Errorf("streams add printed %+v", s)
	}
	const after = "{\n  \"streams\": [\n    {\"name\": \"orders\"},\n    {\"name\": \"page-views\", \"capacity\": \"on-demand\"}\n  ]\n}\n"
	if content() != after {
		t.Errorf("the file is now:\n%s", content())
	}
	for args, want := range map[string]string{"orders": "also the name of streams[0]", "x --shards=501": "want 1 to 500", "UPPER": "want ^[a-z0-9]"} {
		r := finish(t, command(t, append([]string{"streams", "add", "--streams=" + path}, strings.Fields(args)...)...))
		if r.code != 1 || !strings.Contains(r.err, want) || content() != after {
			t.Errorf("streams add %s: exit code %d and %s", args, r.code, r.err)
		}
	}
}

// secretsManager is a stack and its clients' secret.
type secretsManager struct {
	mu      sync.Mutex // guards what follows
	content string
	version int
}

func (s *secretsManager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Header.Get("X-Amz-Target") {
	case "secretsmanager.GetSecretValue":
		fmt.Fprintf(w, `{"SecretString":%q,"VersionId":"%d"}`, s.content, s.version)
	case "secretsmanager.PutSecretValue":
		var in struct{ SecretString string }
		if json.Unmarshal(body, &in) == nil {
			s.content, s.version = in.SecretString, s.version+1
		}
		fmt.Fprint(w, `{}`)
	default:
		fmt.Fprint(w, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><Outputs><member><OutputKey>ClientsSecret</OutputKey><OutputValue>arn</OutputValue></member></Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`)
	}
}

// secret is the secret as it is now.
func (s *secretsManager) secret() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.content
}

func (s *secretsManager) accepts(t *testing.T, user, password string) bool {
	t.Helper()
	c, err := basicauth.Parse([]byte(s.secret()))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.SetBasicAuth(user, password)
	_, ok := c.Check(r.Header.Get("Authorization"))
	return ok
}

func TestCredentialsEditsTheSecret(t *testing.T) {
	t.Parallel()
	s := &secretsManager{content: `{"datasink":"old"}`}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	credentials := func(args ...string) ran {
		c := command(t, append([]string{"credentials"}, args...)...)
		c.Env = append(c.Env, "AWS_ENDPOINT_URL="+server.URL, "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x", "AWS_REGION=eu-west-1")
		return finish(t, c)
	}
	added := strings.TrimSpace(credentials("add", "checkout", "--streams=orders,checkout-*", "--wait=0s").done(t))
	if len(added) < 26 || !s.accepts(t, "checkout", added) || strings.Contains(s.secret(), added) {
		t.Errorf("the new password is %q, the secret %s", added, s.secret())
	}
	rotated := strings.TrimSpace(credentials("rotate", "datasink", "--plain", "--wait=10ms").done(t))
	if !s.accepts(t, "datasink", "old") || !s.accepts(t, "datasink", rotated) {
		t.Error("after the rotation one of the passwords is refused")
	}
	type client struct {
		Name             string
		Passwords, Plain int
		Streams          []string
	}
	got := decoded[[]client](t, credentials("ls", "--json"))
	want := []client{{Name: "datasink", Passwords: 2, Plain: 2}, {Name: "checkout", Passwords: 1, Streams: []string{"orders", "checkout-*"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("credentials ls --json differs (-want +got):\n%s", diff)
	}
	table := credentials("ls").done(t)
	if strings.Contains(table, "old") || strings.Contains(table, rotated) || !strings.Contains(table, "orders, checkout-*") {
		t.Errorf("credentials ls printed:\n%s", table)
	}
	if r := credentials("revoke", "datasink", "--old"); r.code != 0 || s.accepts(t, "datasink", "old") || !s.accepts(t, "datasink", rotated) {
		t.Errorf("after revoke --old the wrong passwords are good: %s", r.err)
	}
	if r := credentials("revoke", "checkout"); r.code != 0 || s.accepts(t, "checkout", added) {
		t.Errorf("after revoke checkout may still write: %s", r.err)
	}
	if r := credentials("rotate", "nobody"); r.code != 1 || !strings.Contains(r.err, "no such client") || r.out != "" {
		t.Errorf("rotate of nobody: exit code %d, printed %q and %s", r.code, r.out, r.err)
	}
	if r := credentials("add", "datasink"); r.code != 1 || r.out != "" {
		t.Errorf("add of a client that is there: exit code %d, printed %q", r.code, r.out)
	}
}

// A rotation prints the password at once, for an interrupt must not lose it, and
// ends when every function knows it.
func TestARotationEndsWhenThePasswordIsGoodEverywhere(t *testing.T) {
	t.Parallel()
	s := &secretsManager{content: `{"datasink":"old"}`}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c := command(t, "credentials", "rotate", "datasink")
	c.Env = append(c.Env, "AWS_ENDPOINT_URL="+server.URL, "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x", "AWS_REGION=eu-west-1")
	var out, errs text
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "it to wait", func() bool { return out.String() != "" && strings.Contains(errs.String(), "waiting 1m0s") })
	if password := strings.TrimSpace(out.String()); !s.accepts(t, "datasink", password) || !s.accepts(t, "datasink", "old") {
		t.Errorf("while it waits one of the passwords is refused; it printed %q", password)
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // The state tells how it ended.
	if code := c.ProcessState.ExitCode(); code != 1 || !strings.Contains(errs.String(), "interrupted: the new password is valid") {
		t.Errorf("exit code %d, want 1: %s", code, errs.String())
	}
}

func TestCompletionCompletesInBash(t *testing.T) {
	t.Parallel()
	script := finish(t, command(t, "completion", "bash")).done(t)
	for _, tt := range []struct {
		words []string
		want  string
	}{
		{[]string{"datasink", "fai"}, "failed"},
		{[]string{"datasink", "failed", "re"}, "redrive"},
		{[]string{"datasink", "failed", "redrive", "--dry"}, "--dry-run"},
		{[]string{"datasink", "failed", "redrive", "--progress", "al"}, "always"},
		{[]string{"datasink", "send", "--progress", "=", "ne"}, "never"},
		{[]string{"datasink", "completion", "f"}, "fish"},
		{[]string{"datasink", "tail", "orders", "--si"}, "--since"},
	} {
		var quoted []string
		for _, w := range tt.words {
			quoted = append(quoted, "'"+w+"'")
		}
		bash := exec.CommandContext(t.Context(), "bash", "-c", script+"COMP_WORDS=("+strings.Join(quoted, " ")+fmt.Sprintf("); COMP_CWORD=%d; _datasink; echo \"${COMPREPLY[*]}\"", len(tt.words)-1))
		out, err := bash.CombinedOutput()
		if err != nil {
			t.Fatalf("bash, which this test needs: %v: %s", err, out)
		}
		if got := strings.TrimSpace(string(out)); got != tt.want {
			t.Errorf("%q completes to %q, want %q", tt.words, got, tt.want)
		}
	}
	if fish := finish(t, command(t, "completion", "fish")).done(t); !strings.Contains(fish, "-a redrive") || !strings.Contains(fish, "-l dry-run") {
		t.Error("the script for fish lacks verbs or flags")
	}
	if r := finish(t, command(t, "completion", "tcsh")); r.code != 2 {
		t.Errorf("completion of another shell: exit code %d", r.code)
	}
}
