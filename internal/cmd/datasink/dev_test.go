package main_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/rig/redistest"
)

// The printed commands send a record and find it, as a new user would use them.
func TestDevPrintsWhatToType(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir(), "--password=")
	curl := regexp.MustCompile(`curl -u datasink:(\S+) -d '(.*)' (\S+)`).FindStringSubmatch(d.out.String())
	gunzip := regexp.MustCompile(`gunzip -c (\S+)`).FindStringSubmatch(d.out.String())
	if curl == nil || gunzip == nil || len(curl[1]) < 20 {
		t.Fatalf("no curl or gunzip line, or a weak password, in:\n%s", d.out.String())
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", curl[3], strings.NewReader(curl[2]))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("datasink", curl[1])
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded") // As curl does.
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close() // Only the status is of interest.
	if response.StatusCode != 202 {
		t.Fatalf("status %d", response.StatusCode)
	}
	posted := time.Now()
	pattern := gunzip[1]
	if !filepath.IsAbs(pattern) {
		t.Errorf("the path %q is not absolute, though the folder is elsewhere", pattern)
	}
	var files []string
	waitFor(t, "the record", func() bool {
		files, err = filepath.Glob(pattern)
		return err != nil || len(files) > 0
	})
	if took := time.Since(posted); took > 5*time.Second {
		t.Errorf("the record landed after %v, want 5s at most", took)
	}
	if got := unpacked(t, files[0]); got != curl[2]+"\n" {
		t.Errorf("gunzip shows %q, want what was posted", got)
	}
	d.signal(t, os.Interrupt)
	if code := d.exit(t); code != 0 {
		t.Errorf("exit code %d after SIGINT, want 0", code)
	}
}

func TestDevRefusesToStart(t *testing.T) {
	t.Parallel()
	running := start(t, t.TempDir())
	addr := strings.TrimPrefix(running.url, "http://")
	bad := filepath.Join(t.TempDir(), "streams.json")
	if err := os.WriteFile(bad, []byte(`{"streams":[{"name":"A"},{"name":"b","shards":501}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	frozen := redistest.Start(t)
	frozen.Freeze()
	t.Cleanup(frozen.Thaw)
	dead := redistest.Start(t)
	dead.Kill()
	for name, tt := range map[string]struct {
		arg  string
		code int
		want []string
	}{
		"port in use":        {"--addr=" + addr, 1, []string{addr, "--addr", "address already in use"}},
		"S3 port in use":     {"--s3-addr=" + addr, 1, []string{addr, "--s3-addr", "address already in use"}},
		"folder in use":      {"--data=" + running.data, 1, []string{running.data, "another datasink uses this data folder"}},
		"folder is a file":   {"--data=" + bad, 1, []string{bad}},
		"folder not to make": {"--data=/proc/datasink", 1, []string{"/proc/datasink"}},
		"bad streams.json":   {"--streams=" + bad, 2, []string{"streams[0].name", "streams[1].shards"}},
		"no streams.json":    {"--streams=/nowhere.json", 2, []string{"/nowhere.json"}},
		"dead Redis":         {"--redis-url=" + dead.URL, 1, []string{"the Redis at " + dead.URL + " does not answer", "refused"}},
		"frozen Redis":       {"--redis-url=" + frozen.URL, 1, []string{"the Redis at " + frozen.URL + " does not answer"}},
		"no Redis URL":       {"--redis-url=localhost:6379", 2, []string{"--redis-url"}},
		"bad user":           {"--user=a:b", 2, []string{"colon"}},
		"no port":            {"--addr=127.0.0.1", 2, []string{"want host:port"}},
		"bad flush":          {"--flush=0s", 2, []string{"--flush"}},
		"unknown flag":       {"--nonsense", 2, []string{"--nonsense"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := launch(t, t.TempDir(), tt.arg)
			if code := d.exit(t); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			for _, want := range tt.want {
				if !strings.Contains(d.err.String(), want) {
					t.Errorf("it wrote %q, want %q in it", d.err.String(), want)
				}
			}
			if strings.Contains(d.err.String(), "goroutine") {
				t.Error("it ended with a trace")
			}
		})
	}
}

// A command that cannot start changes no client of the pipeline that runs.
func TestDevKeepsTheClientsIfItCannotStart(t *testing.T) {
	t.Parallel()
	running := start(t, t.TempDir())
	file := filepath.Join(running.data, "clients.json")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if code := launch(t, running.data, "--password=other").exit(t); code != 1 {
		t.Errorf("with the same folder: exit code %d, want 1", code)
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
		t.Errorf("with the same folder: clients.json has changed, or %v", err)
	}
	data := t.TempDir()
	if code := launch(t, data, "--addr="+strings.TrimPrefix(running.url, "http://")).exit(t); code != 1 {
		t.Errorf("with the same address: exit code %d, want 1", code)
	}
	if _, err := os.Stat(filepath.Join(data, "clients.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("with the same address: clients.json: %v, want none", err)
	}
}

func TestDevFlushesAtSIGTERMUnderLoad(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir())
	l := d.under(t, 16)
	waitFor(t, "some lines", func() bool { return l.count() > 500 })
	// make signals its child after the terminal has: the two count as one signal.
	d.signal(t, syscall.SIGTERM)
	d.signal(t, syscall.SIGTERM)
	if code := d.exit(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	l.end()
	l.check(t, d, true)
	if !strings.Contains(d.err.String(), "every accepted record is in the archive") {
		t.Errorf("it wrote %q", d.err.String())
	}
}

// With an external Redis the process may be killed at any moment.
func TestDevIsKilledUnderLoad(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	data := t.TempDir()
	first := start(t, data, "--redis-url="+redis.URL)
	l := first.under(t, 16)
	waitFor(t, "some lines", func() bool { return l.count() > 500 })
	first.signal(t, syscall.SIGKILL)
	first.exit(t)
	l.end()
	second := start(t, data, "--redis-url="+redis.URL)
	second.signal(t, syscall.SIGTERM)
	if code := second.exit(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	l.check(t, second, false)
}

// Redis is killed and restarted while clients post: each request is accepted.
func TestDevOutlivesItsRedis(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	d := start(t, t.TempDir(), "--redis-url="+redis.URL)
	l := d.under(t, 8)
	waitFor(t, "some lines", func() bool { return l.count() > 300 })
	redis.Kill()
	before := l.count()
	waitFor(t, "lines without a Redis", func() bool { return l.count() > before+100 })
	if err := redis.Restart(); err != nil {
		t.Fatal(err)
	}
	before = l.count()
	waitFor(t, "lines with a Redis", func() bool { return l.count() > before+100 })
	l.end()
	d.signal(t, syscall.SIGTERM)
	if code := d.exit(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	l.check(t, d, false)
	if l.other > 0 {
		t.Errorf("%d callers were not accepted", l.other)
	}
}

// The records in an unreachable Redis cannot be delivered: the exit code is 1, and a
// second signal does not wait for Redis.
func TestDevStopsWithoutItsRedis(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	d := start(t, t.TempDir(), "--redis-url="+redis.URL)
	redis.Kill()
	for range 5 {
		if ok, err := d.post(t.Context(), http.DefaultClient, "without Redis"); !ok || err != nil {
			t.Fatalf("post = %v, %v, want it accepted", ok, err)
		}
	}
	began := time.Now()
	d.signal(t, syscall.SIGTERM)
	waitFor(t, "the first signal to be seen", func() bool { return strings.Contains(d.err.String(), "interrupt again to stop now") })
	time.Sleep(1100 * time.Millisecond) // sooner, it would be the same signal
	d.signal(t, syscall.SIGTERM)
	if code := d.exit(t); code != 1 || time.Since(began) > 15*time.Second {
		t.Errorf("exit code %d after %v, want 1 at once", code, time.Since(began))
	}
	if got := d.archived(t)["without Redis"]; got != 5 {
		t.Errorf("%d of 5 records in the archive", got)
	}
}

// The last line says how many records Redis has lost.
func TestDevSaysThatRedisHasLostRecords(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	d := start(t, t.TempDir(), "--redis-url="+redis.URL)
	d.page(t, http.MethodPost, "/page/fault", "fault=drainer&state=on")
	for range 3 {
		if ok, err := d.post(t.Context(), http.DefaultClient, "lost"); !ok || err != nil {
			t.Fatalf("post = %v, %v, want it accepted", ok, err)
		}
	}
	redis.Kill()
	if err := redis.Restart(); err != nil { // It has kept nothing.
		t.Fatal(err)
	}
	waitFor(t, "the page to find the loss", func() bool {
		return strings.Contains(d.page(t, http.MethodGet, "/", ""), "Redis has lost 3 records.")
	})
	d.signal(t, syscall.SIGTERM)
	if code := d.exit(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if want := "Redis has lost 3 accepted records; all others are in the archive"; !strings.Contains(d.err.String(), want) {
		t.Errorf("it wrote %q, want %q in it", d.err.String(), want)
	}
}

// page makes a request of the live page.
func (d *dev) page(t *testing.T, method, path, form string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, d.url+path, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // It was read.
	html, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s = %d, %v, want 200", method, path, response.StatusCode, err)
	}
	return string(html)
}

// A new process continues with the folder of the last one.
func TestDevStartsAgain(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	for i := range 3 {
		d := start(t, data)
		if ok, err := d.post(context.WithoutCancel(t.Context()), http.DefaultClient, "again"); !ok || err != nil {
			t.Fatalf("post = %v, %v", ok, err)
		}
		d.signal(t, syscall.SIGTERM)
		if code := d.exit(t); code != 0 {
			t.Errorf("exit code %d, want 0", code)
		}
		if got := d.archived(t)["again"]; got != i+1 {
			t.Errorf("%d records in the archive, want %d", got, i+1)
		}
	}
}
