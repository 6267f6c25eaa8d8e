package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ran is a process of the command that has ended.
type ran struct {
	out, err string
	code     int
}

// command prepares the command with a home of its own.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), binary, args...)
	home := t.TempDir()
	c.Dir = home
	c.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "AWS_") || strings.HasPrefix(v, "DATASINK_")
	}), "HOME="+home, "XDG_CACHE_HOME="+home)
	return c
}

// finish runs a command to its end.
func finish(t *testing.T, c *exec.Cmd) ran {
	t.Helper()
	var out, err bytes.Buffer
	c.Stdout, c.Stderr = &out, &err
	var exited *exec.ExitError
	if failed := c.Run(); failed != nil && !errors.As(failed, &exited) {
		t.Fatal(failed)
	}
	return ran{out.String(), err.String(), c.ProcessState.ExitCode()}
}

// operate runs a verb against the pipeline.
func (d *dev) operate(t *testing.T, input string, args ...string) ran {
	t.Helper()
	c := command(t, append(args, "--data="+d.data)...)
	c.Stdin = strings.NewReader(input)
	return finish(t, c)
}

// done fails the test unless the command has done all, and returns its output.
func (r ran) done(t *testing.T) string {
	t.Helper()
	if r.code != 0 {
		t.Fatalf("exit code %d, want 0:\n%s%s", r.code, r.out, r.err)
	}
	return r.out
}

// decoded reads a command's JSON.
func decoded[T any](t *testing.T, r ran) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.out), &v); err != nil {
		t.Fatalf("%v in:\n%s%s", err, r.out, r.err)
	}
	return v
}

func lines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"n\":%d}\n", i)
	}
	return b.String()
}

func sorted(text string) []string {
	return slices.Sorted(strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n"))
}

// await waits until the archive has n lines of a stream, and returns its text.
func (d *dev) await(t *testing.T, name string, n int) (text string) {
	t.Helper()
	waitFor(t, fmt.Sprintf("%d records of %s in the archive", n, name), func() bool {
		text = ""
		for _, path := range d.objects(t, name) {
			text += unpacked(t, path)
		}
		return strings.Count(text, "\n") >= n
	})
	return text
}

func (d *dev) objects(t *testing.T, name string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(d.data, "archive", name, "dt=*", "hour=*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
