package wire_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/data-sink/data-sink/internal/rig/s3test"
)

// clientTool returns a program of the clients that make installs.
func clientTool(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../../.tools/clients/bin", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is missing: make .tools/clients/installed installs it", path)
	}
	return path
}

func TestS3ForBoto3AndMinIO(t *testing.T) {
	t.Parallel()
	_, _, url := serveBucket(t)
	out, err := exec.Command(clientTool(t, "python"), "testdata/clients.py", url).CombinedOutput()
	if err != nil || string(out) != "ok\n" {
		t.Errorf("clients.py: %v\n%s", err, out)
	}
}

func TestS3ForTheAWSCLI(t *testing.T) {
	t.Parallel()
	b, root, url := serveBucket(t)
	for _, key := range []string{"orders/dt=2026-11-22/hour=23/a.gz", "orders/dt=2026-11-22/hour=23/b.gz"} {
		if err := b.Put(t.Context(), key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(clientTool(t, "aws"), append([]string{"--endpoint-url", url, "s3"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=any", "AWS_SECRET_ACCESS_KEY=any", "AWS_DEFAULT_REGION=us-east-1", "HOME="+dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("aws s3 %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	run("cp", "s3://archive/orders/dt=2026-11-22/hour=23/a.gz", "copy")
	if got, err := os.ReadFile(filepath.Join(dir, "copy")); err != nil || string(got) != "orders/dt=2026-11-22/hour=23/a.gz" {
		t.Errorf("aws s3 cp: %q, %v", got, err)
	}
	run("sync", "s3://archive/orders", "orders")
	if found, err := filepath.Glob(filepath.Join(dir, "orders/*/*/*.gz")); err != nil || len(found) != 2 {
		t.Errorf("aws s3 sync: %v, %v, want two files", found, err)
	}
	if out := run("ls", "s3://archive/orders/dt=2026-11-22/hour=23/"); bytes.Count([]byte(out), []byte(".gz")) != 2 {
		t.Errorf("aws s3 ls: %s, want two objects", out)
	}
	run("cp", "copy", "s3://archive/up/copy")
	run("rm", "--recursive", "s3://archive/orders")
	if got := s3test.Objects(t, root); len(got) != 1 || got["up/copy"] == "" {
		t.Errorf("objects %v, want the one that was uploaded", got)
	}
}
