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
	"sync"
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
		{"an unknown stream", "404 unknown_stream: the stream does not exist or is retired; datasink status lists the streams", []string{"send", "none"}},
		{"wrong credentials", "401 unauthorized: the credentials are missing or wrong; set --user and --password", []string{"send", "orders", "--password=wrong"}},
		{"an unreachable API", "connection refused", []string{"send", "orders", "--url=http://127.0.0.1:1", "--attempts=2"}},
	} {
		if r := d.operate(t, "body", tt.args...); r.code != 1 || strings.Count(r.err, tt.want) != 1 {
			t.Errorf("%s: exit code %d, want 1 with %q once in:\n%s", tt.name, r.code, tt.want, r.err)
		}
	}
}

// Wrong usage is seen before the first request, here without any deployment.
func TestWrongUsageIsExitCode2(t *testing.T) {
	t.Parallel()
	const api = "--url=https://sink.example"
	dir := t.TempDir()
	streams, bad := "--streams="+filepath.Join(dir, "streams.json"), "--streams="+filepath.Join(dir, "bad.json")
	for flag, content := range map[string]string{
		streams: `{"streams":[{"name":"orders"}]}`,
		bad:     "\xef\xbb\xbf" + `{"streams":[{"name":"ok"},{"name":"A","shards":0,"shardz":1}]}`,
	} {
		if err := os.WriteFile(strings.TrimPrefix(flag, "--streams="), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"nothing"}, "Try: datasink --help"},
		{[]string{"send"}, "Try: datasink send --help"},
		{[]string{"sql", "orders"}, "--for=athena|clickhouse|duckdb|"},
		{[]string{"failed", "discard", "--reason=r", "--from=2d", "key"}, "unknown flag --from"},
		{[]string{"verify", "--from"}, "Try: datasink verify --help"},
		{[]string{"verify", "--stream=orders,Orders"}, "want ^[a-z0-9]"},
		{[]string{"failed", "ls", "--stream=Orders"}, "want ^[a-z0-9]"},
		{[]string{"failed", "redrive", "--stream=aws"}, "reserved"},
		{[]string{"failed", "ls", "--from=soon"}, "Try: datasink failed ls --help"},
		{[]string{"send", "orders", api, "--concurrency=0"}, "Try: datasink send --help"},
		{[]string{"send", "orders", api, "--batch=0"}, "want 1 to 10000"},
		{[]string{"send", "orders", api, "absent"}, "no such file"},
		{[]string{"send", "orders", api, "."}, "is a directory"},
		{[]string{"send", "Orders", api}, "want ^[a-z0-9]"},
		{[]string{"send", "orders", "--url=sink.example:8080"}, "want https://HOST"},
		{[]string{"send", "orders", "--url=127.0.0.1:8080"}, "want https://HOST"},
		{[]string{"send", "orders", api + "/archives/orders"}, "without /archives"},
		{[]string{"send", "orders", "--url=https://u:p@sink.example"}, "contains credentials"},
		{[]string{"send", "orders", "--url=http://sink.example"}, "plain HTTP"},
		{[]string{"tail", "orders", "--since=now", "--until=1h"}, "after --since"},
		{[]string{"tail", "orders", "--until=now"}, "after --since"},
		{[]string{"tail", "failed"}, "reserved"},
		{[]string{"replay", "--stream=orders", "--into=orders", "--from=1h", "--to=now"}, "--force"},
		{[]string{"status", "--interval=1ms"}, "want 100ms or more"},
		{[]string{"dev", "--flush=0s"}, "want more than 0"},
		{[]string{"credentials", "add", "a:b"}, "Try: datasink credentials add --help"},
		{[]string{"send", "orders"}, "start one with datasink dev"},
		{[]string{"credentials", "rotate", "checkout"}, "DATASINK_AWS=1"},
		{[]string{"failed", "redrive"}, "no deployment"},
		{[]string{"status", "--name=no.name"}, "no.name"},
		{[]string{"health", "--url=https://sink.example?x=1"}, "without a query"},
		{[]string{"sql", "missing", "--for=duckdb", streams}, "has no stream missing"},
		{[]string{"sql", "orders", "--for=trino", "--run", streams}, "only with --for athena and duckdb"},
		{[]string{"sql", "orders", "--for=duckdb", "--view=x", streams}, "--view: "},
		{[]string{"dev", bad}, "streams[1].shards"},
		{[]string{"verify", bad}, "streams[1].shards"},
		{[]string{"streams", "ls", bad}, "streams[1].shards"},
		{[]string{"streams", "ls", "--streams=absent"}, "no such file"},
		{[]string{"streams", "add", "x", bad}, "streams[1].shards"},
		{[]string{"streams", "add", "A b", streams}, "want ^[a-z0-9]"},
		{[]string{"streams", "add", "x", "--streams=absent"}, "no such file"},
		{[]string{"streams", "retire", "ok", bad}, "streams[1].shards"},
		{[]string{"streams", "retire", "missing", streams}, "no such stream"},
		{[]string{"failed", "discard", "--reason=a test", "failed/drainer/orders/x.ndjson"}, "no deployment"},
		{[]string{"verify", "--manifest"}, "no deployment"},
	} {
		c := command(t, tt.args...)
		c.Env = append(c.Env, "AWS_REGION=eu-west-1", "AWS_PROFILE=production", "AWS_ENDPOINT_URL=http://127.0.0.1:1")
		r := finish(t, c)
		if r.code != 2 || !strings.Contains(r.err, tt.want) || r.out != "" {
			t.Errorf("%q: exit code %d and %q, want 2 with %q in:\n%s", tt.args, r.code, r.out, tt.want, r.err)
		}
	}
}

func TestHelpIsPrintedInThreeWays(t *testing.T) {
	t.Parallel()
	if all := finish(t, command(t)).done(t); all != finish(t, command(t, "help")).done(t) || !strings.Contains(all, "Exit codes: ") {
		t.Errorf("datasink and datasink help print different texts, or\n%s", all)
	}
	if one := finish(t, command(t, "help", "failed", "ls")).done(t); one != finish(t, command(t, "failed", "ls", "--help")).done(t) {
		t.Errorf("datasink help failed ls prints\n%s", one)
	}
}

// keyedAPI accepts records and batches as the API does: a request whose key it has
// seen is answered again without a new record.
type keyedAPI struct {
	mu      sync.Mutex
	seen    map[string]bool
	records map[string]int // by body
	lose    func(n int) bool
	n       int
}

func (a *keyedAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	time.Sleep(time.Millisecond)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n++
	records := []string{string(body)}
	if strings.HasSuffix(r.URL.Path, "/batch") {
		records = strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	}
	if key := r.Header.Get("Idempotency-Key"); !a.seen[key] {
		a.seen[key] = true
		for _, record := range records {
			a.records[record]++
		}
	}
	if a.lose != nil && a.lose(a.n) {
		panic(http.ErrAbortHandler) // accepted, but the client does not hear it
	}
	w.WriteHeader(http.StatusAccepted)
	if strings.HasSuffix(r.URL.Path, "/batch") {
		fmt.Fprintf(w, `{"id":"x","records":%d}`, len(records))
	} else {
		fmt.Fprint(w, `{"id":"x"}`)
	}
}

// accepted returns the number of requests so far.
func (a *keyedAPI) requests() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.n
}

func TestSendGoesOnAfterAnInterrupt(t *testing.T) {
	t.Parallel()
	for _, batch := range []string{"--batch=1", "--batch=7"} {
		t.Run(batch, func(t *testing.T) {
			t.Parallel()
			// Every third answer is lost, and the first try of a process is its only one.
			a := &keyedAPI{seen: make(map[string]bool), records: make(map[string]int), lose: func(n int) bool { return n%3 == 0 }}
			api := httptest.NewServer(a)
			t.Cleanup(api.Close)
			args := []string{"send", "orders", "--ndjson", "--json", "--concurrency=4", "--attempts=1", batch, "--url=" + api.URL, "--password=x"}
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
			waitFor(t, "some to be sent", func() bool { return a.requests() > 50 })
			if err := c.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			_ = c.Wait() // The state tells how it ended.
			var first struct {
				Sent, Failed, NextSkip int
				Key                    string
			}
			if err := json.Unmarshal([]byte(out.String()), &first); err != nil {
				t.Fatalf("%v in %s", err, out.String())
			}
			if code := c.ProcessState.ExitCode(); code != 130 || !strings.Contains(errs.String(), fmt.Sprintf("--skip=%d --key=%s", first.NextSkip, first.Key)) {
				t.Errorf("exit code %d, want 130 and a hint: %s", code, errs.String())
			}
			if first.NextSkip >= first.Sent+first.Failed {
				t.Errorf("the count is %+v, want to go on at the first lost answer", first)
			}
			a.mu.Lock()
			a.lose = nil
			a.mu.Unlock()
			rest := command(t, append(args, fmt.Sprint("--skip=", first.NextSkip), "--key="+first.Key)...)
			rest.Stdin = strings.NewReader(lines(n))
			finish(t, rest).done(t)
			for line := range strings.Lines(lines(n)) {
				if got := a.records[strings.TrimSuffix(line, "\n")]; got != 1 {
					t.Fatalf("%q was accepted %d times, want once", line, got)
				}
			}
		})
	}
}

// A batch does not wait for more lines than a second.
func TestSendDoesNotHoldBackABatch(t *testing.T) {
	t.Parallel()
	a := &keyedAPI{seen: make(map[string]bool), records: make(map[string]int)}
	api := httptest.NewServer(a)
	t.Cleanup(api.Close)
	c := command(t, "send", "orders", "--ndjson", "--url="+api.URL, "--password=x")
	input, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(input, "one\n\ntwo\n"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a batch", func() bool { return a.requests() == 1 })
	_ = input.Close()
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	if a.records["one"] != 1 || a.records["two"] != 1 || len(a.records) != 2 {
		t.Errorf("the API has %v, want one and two", a.records)
	}
}

func TestSendNamesTheFileOfAFailure(t *testing.T) {
	t.Parallel()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil && strings.Contains(string(body), "bad") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, `{"id":"x"}`)
	}))
	t.Cleanup(api.Close)
	dir := t.TempDir()
	for _, name := range []string{"good", "bad"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := finish(t, command(t, "send", "orders", "--url="+api.URL, "--password=x", filepath.Join(dir, "good"), filepath.Join(dir, "bad")))
	if r.code != 1 || !strings.Contains(r.err, "record 2, in "+filepath.Join(dir, "bad")+":") || !strings.Contains(r.out, "sent 1 record,") {
		t.Errorf("exit code %d, printed %s%s", r.code, r.out, r.err)
	}
	nothing := command(t, "send", "orders", "--url="+api.URL, "--password=x")
	nothing.Stdin = strings.NewReader("")
	if r := finish(t, nothing); r.code != 0 || !strings.Contains(r.err, "there was nothing to send") {
		t.Errorf("send of nothing: exit code %d, printed %s", r.code, r.err)
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
	if r := d.operate(t, "", "tail", "none"); r.code != 1 || !strings.Contains(r.err, `no stream "none" in this deployment; its streams are: dispatcher-decisions, `) {
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
