//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/redis/go-redis/v9"
)

// operator is the command datasink with the access of an AWS user.
type operator struct {
	binary string
	env    []string
}

func (d *deployment) operator(t *testing.T) *operator {
	t.Helper()
	o := &operator{binary: filepath.Join(t.TempDir(), "datasink")}
	build := exec.Command("go", "build", "-o", o.binary, "./internal/cmd/datasink")
	build.Dir = root(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the command: %v\n%s", err, out)
	}
	// The API's certificate is checked against the system's roots, not
	// AWS_CA_BUNDLE.
	o.env = append(d.emulator.environment(t.TempDir()), "SSL_CERT_FILE="+d.certificate.ca)
	return o
}

// run runs a verb, which must exit with code, and returns what it printed.
func (o *operator) run(t *testing.T, code int, input string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), o.binary, append(args, "--aws", "--name="+stackName)...)
	cmd.Env, cmd.Dir, cmd.Stdin = o.env, t.TempDir(), strings.NewReader(input)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exited *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exited) {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("datasink %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, &out, &errs)
	}
	return out.String()
}

// testOperate operates the deployment with the command, which knows only its name.
func (d *deployment) testOperate(t *testing.T) {
	const name = "dispatcher-decisions" // with several shards
	began := time.Now().UTC()
	since := "--since=" + began.Format(time.RFC3339)
	o := d.operator(t)
	var lines []string
	for i := range 300 {
		lines = append(lines, fmt.Sprintf(`{"decision":%d}`, i))
		d.archive.accept(name, []byte(lines[i]+"\n"), "")
	}
	o.run(t, 0, strings.Join(lines, "\n"), "send", name, "--ndjson")
	d.archive.awaitAll(t, archived)

	tail := strings.Split(strings.TrimSpace(o.run(t, 0, "", "tail", name, since, "--until=now")), "\n")
	slices.Sort(tail)
	if want := slices.Sorted(slices.Values(lines)); !slices.Equal(tail, want) {
		t.Errorf("tail printed %d lines, want the %d that were sent", len(tail), len(want))
	}

	var status []struct {
		Stream     string
		Queued     int
		LastObject string
	}
	if err := json.Unmarshal([]byte(o.run(t, 0, "", "status", "--json", "--interval=200ms")), &status); err != nil {
		t.Fatal(err)
	}
	for _, s := range status {
		if s.Stream == name && (s.Queued != 0 || !strings.HasPrefix(s.LastObject, name+"/dt=")) {
			t.Errorf("status is %+v", s)
		}
	}

	// Earlier steps have sent records as well.
	var reports []struct {
		Tap, Bridged, Archived struct{ Records int }
	}
	from := "--from=" + began.Add(-time.Minute).Format(time.RFC3339)
	if err := json.Unmarshal([]byte(o.run(t, 0, "", "verify", "--stream="+name, from, "--settle=1ms", "--tap", "--json")), &reports); err != nil {
		t.Fatal(err)
	}
	if r := reports[0]; r.Archived.Records < len(lines) || r.Bridged != r.Archived || r.Tap != r.Archived {
		t.Errorf("verify counted %+v, want at least %d records at every hop", r, len(lines))
	}

	password := strings.TrimSpace(o.run(t, 0, "", "credentials", "add", "operator", "--streams="+name))
	with := func(code int, stream string) {
		t.Helper()
		body := "from the operator's client, to " + stream
		if code == 0 {
			d.archive.accept(stream, []byte(body+"\n"), "")
		}
		o.run(t, code, body, "send", stream, "--user=operator", "--password="+password, "--attempts=1")
	}
	with(0, name)
	with(1, "orders") // for which it has no grant
	if ls := o.run(t, 0, "", "credentials", "ls"); !strings.Contains(ls, "operator") || strings.Contains(ls, password) {
		t.Errorf("credentials ls printed:\n%s", ls)
	}
	o.run(t, 0, "", "credentials", "revoke", "operator", "--client")
	if ls := o.run(t, 0, "", "failed", "ls", "--json"); strings.TrimSpace(ls) != "[]" {
		t.Errorf("failed ls printed %s", ls)
	}
	d.archive.awaitAll(t, archived)
}

// testStatusInTrouble reads the status while one key of Redis has a wrong type, and
// while the drainer cannot reach Redis. The status must say what is unknown, and
// print the rest.
func (d *deployment) testStatusInTrouble(t *testing.T) {
	const blocked, healthy = "page-views", "orders"
	o := d.operator(t)
	status := func() (unknown map[string]bool, out string) {
		t.Helper()
		unknown = make(map[string]bool)
		out = o.run(t, 1, "", "status", "--interval=200ms")
		for line := range strings.Lines(out) {
			if fields := strings.Fields(line); len(fields) > 1 {
				unknown[fields[0]] = fields[1] == "?"
			}
		}
		return unknown, out
	}

	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{d.redis.Nodes[0].Addr}, TLSConfig: d.redis.TLS, Password: d.token})
	t.Cleanup(func() { _ = client.Close() })
	key := stackName + ":{" + blocked + "}:queue"
	if err := client.Set(t.Context(), key, "not a list", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if unknown, out := status(); !unknown[blocked] || unknown[healthy] {
		t.Errorf("with a key of a wrong type, status printed:\n%s", out)
	}
	d.send(t, healthy, text("beside a key of a wrong type"))
	d.archive.await(t, archived, healthy)
	if err := client.Del(t.Context(), key).Err(); err != nil {
		t.Fatal(err)
	}

	d.restart(t, d.outputs.DrainerFunction, map[string]string{env.RedisURL: "redis://localhost:1"})
	unknown, out := status()
	d.restart(t, d.outputs.DrainerFunction, nil)
	if !unknown[healthy] || !strings.Contains(out, "Meanwhile") {
		t.Errorf("without Redis, status printed:\n%s", out)
	}
}
