package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestSendTakesFilesAndStandardInput(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir())
	dir := t.TempDir()
	for name, content := range map[string]string{"a": "file a", "b": "two\nlines of b\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.operate(t, "from stdin", "send", "orders").done(t)
	d.operate(t, "from a dash", "send", "orders", filepath.Join(dir, "a"), filepath.Join(dir, "b"), "-").done(t)
	d.operate(t, "line 1\n\nline 2\r\nline 3", "send", "orders", "--ndjson", "--gzip", "--skip=1", "--partition-key=k").done(t)
	want := sorted("from stdin\nfile a\ntwo\nlines of b\nfrom a dash\nline 2\r\nline 3\n")
	if got := sorted(d.await(t, "orders", len(want))); !slices.Equal(got, want) {
		t.Errorf("archived %q, want %q", got, want)
	}
	keys := d.operate(t, "", "tail", "orders", "--since=1h", "--until=now", "--json").done(t)
	if n := strings.Count(keys, `"partitionKey":"k"`); n != 2 || !strings.Contains(keys, `"body":"from a dash"`) {
		t.Errorf("%d records have the key, want 2, in:\n%s", n, keys)
	}
}

func TestSendSaysWhatWasNotAccepted(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir())
	for _, tt := range []struct {
		name, want string
		args       []string
	}{
		{"an unknown stream", "404 unknown_stream", []string{"send", "none"}},
		{"wrong credentials", "401 unauthorized", []string{"send", "orders", "--password=wrong"}},
		{"a missing file", "no such file", []string{"send", "orders", "absent"}},
		{"an API that is not there", "connection refused", []string{"send", "orders", "--url=http://127.0.0.1:1", "--attempts=2"}},
	} {
		if r := d.operate(t, "body", tt.args...); r.code != 1 || !strings.Contains(r.err, tt.want) {
			t.Errorf("%s: exit code %d, want 1 with %q in:\n%s", tt.name, r.code, tt.want, r.err)
		}
	}
	for _, args := range [][]string{{"send"}, {"send", "orders", "--concurrency=0"}, {"tail", "orders", "--since=soon"}, {"nothing"}, {"verify", "--from"}} {
		if r := d.operate(t, "", args...); r.code != 2 || !strings.Contains(r.err, "datasink --help") {
			t.Errorf("%q: exit code %d, want 2, and a hint in:\n%s", args, r.code, r.err)
		}
	}
}

func TestSendGoesOnAfterAnInterrupt(t *testing.T) {
	t.Parallel()
	var accepted atomic.Int64
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(5 * time.Millisecond)
		accepted.Add(1)
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, `{"id":"x"}`)
	}))
	t.Cleanup(api.Close)
	args := []string{"send", "orders", "--ndjson", "--json", "--concurrency=4", "--url=" + api.URL, "--password=x"}
	c := command(t, args...)
	input, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs text
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	const n = 5000
	go func() {
		_, _ = io.WriteString(input, lines(n)) // It ends with the command.
		_ = input.Close()
	}()
	waitFor(t, "some to be sent", func() bool { return accepted.Load() > 50 })
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // The state tells how it ended.
	var first struct{ Sent, Failed, NextSkip int }
	if err := json.Unmarshal([]byte(out.String()), &first); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	if code := c.ProcessState.ExitCode(); code != 130 || !strings.Contains(errs.String(), "--skip=") {
		t.Errorf("exit code %d, want 130 and a hint: %s", code, errs.String())
	}
	if int64(first.Sent) != accepted.Load() || first.NextSkip != first.Sent {
		t.Errorf("the count is %+v, the API accepted %d", first, accepted.Load())
	}
	rest := command(t, append(args, fmt.Sprint("--skip=", first.NextSkip))...)
	rest.Stdin = strings.NewReader(lines(n))
	finish(t, rest).done(t)
	if accepted.Load() != n {
		t.Errorf("the API accepted %d records, want %d", accepted.Load(), n)
	}
}

func TestSendEndsWhileItWaitsForInput(t *testing.T) {
	t.Parallel()
	c := command(t, "send", "orders", "--url=http://127.0.0.1:1", "--progress=always")
	input, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = input.Close() }()
	var errs text
	c.Stderr = &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "its progress bar", func() bool { return errs.String() != "" })
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // The state tells how it ended.
	if code := c.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d, want 130: %s", code, errs.String())
	}
}

func TestTailPrintsWhatComes(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir())
	c := command(t, "tail", "legacy-archives", "--data="+d.data)
	var out text
	c.Stdout = &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the tap to show a record", func() bool {
		d.operate(t, "now", "send", "legacy-archives").done(t)
		return out.String() != ""
	})
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil || strings.Trim(out.String(), "now\n") != "" {
		t.Errorf("tail ended with %v after %q", err, out.String())
	}
	if r := d.operate(t, "", "tail", "legacy-archives", "--since=1h", "--limit=1"); r.done(t) != "now\n" {
		t.Errorf("tail --limit=1 printed %q", r.out)
	}
	if r := d.operate(t, "", "tail", "none"); r.code != 1 || !strings.Contains(r.err, "no stream none") {
		t.Errorf("tail of an unknown stream: exit code %d and %q", r.code, r.err)
	}
}

func TestStatusWatchesUntilAnInterrupt(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir())
	c := command(t, "status", "--watch", "--interval=100ms", "--data="+d.data)
	var out text
	c.Stdout = &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "three tables", func() bool { return strings.Count(out.String(), "STREAM") >= 3 })
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("status --watch ended with %v", err)
	}
}
