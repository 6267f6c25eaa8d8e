//go:build e2e

package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFirstHour runs first-hour.sh: a new user clones the repository, sends the first
// records, and deploys. The deployment uses a Redis of the user, as redisUrl allows. The
// test prints the times of the steps and does not judge them. The clone has what is
// committed.
func TestFirstHour(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.cdk.bootstrap(t)
	cmd := exec.Command(filepath.Join(root(t), "internal/rig/e2e/first-hour.sh"), root(t))
	cmd.Dir = t.TempDir()
	home := t.TempDir()
	// The repository may belong to another user, as in some CI systems.
	if err := os.WriteFile(filepath.Join(home, ".gitconfig"), []byte("[safe]\n\tdirectory = *\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(d.emulator.environment(home), goSettings(t)...)
	cmd.Env = append(cmd.Env,
		"TMPDIR="+t.TempDir(), "SSL_CERT_FILE="+d.certificate.ca, "PYTHON="+clientsPython(t),
		"DEPLOY="+strings.Join(append(d.cdk.settings, "-c", "redisUrl="+d.redis.URL), " "),
	)
	for _, name := range []string{"API", "S3", "KINESIS", "CI_API", "CI_S3"} {
		cmd.Env = append(cmd.Env, name+"="+quietAddress(t))
	}
	if userconfig := os.Getenv("NPM_CONFIG_USERCONFIG"); userconfig != "" {
		cmd.Env = append(cmd.Env, "NPM_CONFIG_USERCONFIG="+userconfig)
	}
	t.Logf("the first hour:\n%s", run(t, 2*commandLimit, cmd))
}

// quietAddress returns a free address of this machine. Its port is below those that the
// kernel gives to connections, so it stays free until a server listens there.
func quietAddress(tb testing.TB) string {
	tb.Helper()
	var err error
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000))
		var l net.Listener
		if l, err = net.Listen("tcp", address); err == nil {
			_ = l.Close() // Nothing has connected.
			return address
		}
	}
	tb.Fatalf("finding a free port: %v", err)
	return ""
}
