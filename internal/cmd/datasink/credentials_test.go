package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
	"github.com/google/go-cmp/cmp"
)

// secretsManager is a stack and its clients' secret.
type secretsManager struct {
	url     string
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
	case "secretsmanager.ListSecretVersionIds":
		fmt.Fprintf(w, `{"Versions":[{"VersionId":"%d","CreatedDate":%d,"VersionStages":["AWSCURRENT"]}]}`, s.version, time.Now().Add(-50*time.Hour).Unix())
	case "secretsmanager.PutSecretValue":
		var in struct{ SecretString string }
		if json.Unmarshal(body, &in) == nil {
			s.content, s.version = in.SecretString, s.version+1
		}
		fmt.Fprint(w, `{}`)
	default:
		if strings.Contains(string(body), "GetCallerIdentity") {
			fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
			return
		}
		fmt.Fprint(w, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><Outputs><member><OutputKey>ClientsSecret</OutputKey><OutputValue>arn</OutputValue></member></Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`)
	}
}

// newSecretsManager serves a stack whose secret has that content.
func newSecretsManager(t *testing.T, content string) *secretsManager {
	t.Helper()
	s := &secretsManager{content: content}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// command prepares a verb that works on the stack.
func (s *secretsManager) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	c := command(t, append(args, "--aws")...)
	c.Env = append(c.Env, "AWS_ENDPOINT_URL="+s.url, "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x", "AWS_REGION=eu-west-1")
	return c
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
	s := newSecretsManager(t, `{"datasink":"old"}`)
	credentials := func(args ...string) ran {
		return finish(t, s.command(t, append([]string{"credentials"}, args...)...))
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
	if strings.Contains(table, "old") || strings.Contains(table, rotated) || !strings.Contains(table, "orders, checkout-*") || !strings.Contains(table, " 2d+, 2d+ ") {
		t.Errorf("credentials ls printed:\n%s", table)
	}
	if r := credentials("revoke", "datasink"); r.code != 0 || s.accepts(t, "datasink", "old") || !s.accepts(t, "datasink", rotated) {
		t.Errorf("after revoke the wrong passwords are accepted: %s", r.err)
	}
	if r := credentials("revoke", "checkout", "--client"); r.code != 0 || s.accepts(t, "checkout", added) {
		t.Errorf("after revoke checkout may still write: %s", r.err)
	}
	if r := credentials("revoke", "datasink", "--client"); r.code != 1 || !strings.Contains(r.err, "last client") || !s.accepts(t, "datasink", rotated) {
		t.Errorf("revoke of the last client: exit code %d and %s", r.code, r.err)
	}
	if r := credentials("add", "someone", "--streams="); r.code != 2 || r.out != "" {
		t.Errorf("add with an empty grant: exit code %d, printed %q", r.code, r.out)
	}
	if r := credentials("add", "a:b"); r.code != 2 || r.out != "" {
		t.Errorf("add of a name with a colon: exit code %d, printed %q", r.code, r.out)
	}
	if r := credentials("ls"); !strings.Contains(r.err, "deployment datasink in account 123456789012, eu-west-1") {
		t.Errorf("credentials ls does not say where it works: %s", r.err)
	}
	if r := credentials("rotate", "nobody"); r.code != 1 || !strings.Contains(r.err, "no such client") || r.out != "" {
		t.Errorf("rotate of nobody: exit code %d, printed %q and %s", r.code, r.out, r.err)
	}
	if r := credentials("add", "datasink"); r.code != 1 || r.out != "" {
		t.Errorf("add of a client that exists: exit code %d, printed %q", r.code, r.out)
	}
}

// A rotation prints the password at once, for an interrupt must not lose it, and
// ends when every function knows it.
func TestARotationEndsWhenThePasswordIsGoodEverywhere(t *testing.T) {
	t.Parallel()
	s := newSecretsManager(t, `{"datasink":"old"}`)
	c := s.command(t, "credentials", "rotate", "datasink")
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

// The verbs that post use the password that the local pipeline accepts now, or say that
// they do not know it.
func TestARotationOnTheLocalPipeline(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir())
	r := d.operate(t, "", "credentials", "rotate", "datasink")
	password := strings.TrimSpace(r.done(t))
	if !strings.Contains(r.err, "waiting 1s ") {
		t.Errorf("credentials rotate printed %s", r.err)
	}
	d.operate(t, "", "send", "orders").done(t)
	if r := d.operate(t, "", "credentials", "revoke", "datasink"); r.code != 0 || !strings.Contains(r.err, "every function knows it within 1s") || !strings.Contains(r.err, "only a hash of the password is left") {
		t.Errorf("credentials revoke: exit code %d and %s", r.code, r.err)
	}
	if r := d.operate(t, "a", "send", "orders"); r.code != 1 || !strings.Contains(r.err, "only hashes of its passwords: set --password or DATASINK_PASSWORD") {
		t.Errorf("send without the new password: exit code %d and %s", r.code, r.err)
	}
	d.operate(t, "a", "send", "orders", "--password="+password).done(t)
	d.operate(t, "", "credentials", "rotate", "datasink", "--plain").done(t)
	d.operate(t, "a", "send", "orders").done(t)
	if r := d.operate(t, "a", "send", "orders", "--user=nobody"); r.code != 1 || !strings.Contains(r.err, `"nobody": no such client; the clients are: datasink (set --user`) {
		t.Errorf("send by an unknown client: exit code %d and %s", r.code, r.err)
	}
}
