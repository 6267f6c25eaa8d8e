//go:build e2e

package e2e_test

import (
	"fmt"
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
	cmd.Env = append(d.emulator.environment(t.TempDir()), goSettings(t)...)
	cmd.Env = append(cmd.Env,
		"TMPDIR="+t.TempDir(), "SSL_CERT_FILE="+d.certificate.ca, "PYTHON="+clientsPython(t),
		"DEPLOY="+strings.Join(append(d.cdk.settings, "-c", "redisUrl="+d.redis.URL), " "),
	)
	for _, name := range []string{"API", "S3", "KINESIS", "CI_API", "CI_S3"} {
		cmd.Env = append(cmd.Env, fmt.Sprintf("%s=127.0.0.1:%d", name, freePort(t)))
	}
	if userconfig := os.Getenv("NPM_CONFIG_USERCONFIG"); userconfig != "" {
		cmd.Env = append(cmd.Env, "NPM_CONFIG_USERCONFIG="+userconfig)
	}
	t.Logf("the first hour:\n%s", run(t, 2*commandLimit, cmd))
}
