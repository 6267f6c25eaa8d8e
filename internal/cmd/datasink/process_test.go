package main_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is the built command.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "datasink")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "datasink")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building the command:", err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir) // A temporary folder.
	os.Exit(code)
}

// text collects what a process writes.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *text) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *text) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// dev is a `datasink dev` process.
type dev struct {
	cmd      *exec.Cmd
	out, err text
	ended    chan struct{}
	url      string
	data     string
}

// launch starts `datasink dev` in a folder of its own with ports of its own.
func launch(t *testing.T, data string, args ...string) *dev {
	t.Helper()
	streams, err := filepath.Abs("../../../streams.json")
	if err != nil {
		t.Fatal(err)
	}
	d := &dev{data: data, ended: make(chan struct{})}
	standard := []string{"dev", "--addr=127.0.0.1:0", "--s3-addr=127.0.0.1:0", "--aws-addr=127.0.0.1:0", "--streams=" + streams, "--data=" + data, "--flush=200ms", "--password=secret"}
	d.cmd = exec.Command(binary, append(standard, args...)...)
	d.cmd.Stdout, d.cmd.Stderr = &d.out, &d.err
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(d.ended)
		_ = d.cmd.Wait() // The state tells how it ended.
	}()
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill() // It may have ended.
		<-d.ended
		if t.Failed() {
			t.Logf("it wrote:\n%s%s", d.out.String(), d.err.String())
		}
	})
	return d
}

var urlForm = regexp.MustCompile(`HTTP API +(http://\S+)/archives`)

// start launches it and waits until it listens.
func start(t *testing.T, data string, args ...string) *dev {
	t.Helper()
	d := launch(t, data, args...)
	waitFor(t, "it to listen", func() bool {
		select {
		case <-d.ended:
			t.Fatalf("it ended at its start: %s", d.err.String())
		default:
		}
		found := urlForm.FindStringSubmatch(d.out.String())
		if found != nil {
			d.url = found[1]
		}
		return found != nil
	})
	return d
}

func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute for %s", what)
		}
	}
}

func (d *dev) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// exit waits for the end and returns the exit code.
func (d *dev) exit(t *testing.T) int {
	t.Helper()
	select {
	case <-d.ended:
	case <-time.After(2 * time.Minute):
		t.Fatal("it does not end")
	}
	return d.cmd.ProcessState.ExitCode()
}

// post posts a body and reports whether it was accepted.
func (d *dev) post(ctx context.Context, client *http.Client, body string) (bool, error) {
	r, err := http.NewRequestWithContext(ctx, "POST", d.url+"/archives/orders", strings.NewReader(body))
	if err != nil {
		return false, err
	}
	r.SetBasicAuth("datasink", "secret")
	r.Header.Set("Content-Type", "application/octet-stream")
	response, err := client.Do(r)
	if err != nil {
		return false, err
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return false, err
	}
	if response.StatusCode != 202 && response.StatusCode != 503 {
		return false, fmt.Errorf("status %d", response.StatusCode)
	}
	return response.StatusCode == 202, nil
}

// load posts lines that differ until it is stopped.
type load struct {
	stop  context.CancelFunc
	wg    sync.WaitGroup
	mu    sync.Mutex
	acked []string
	other int // answers that were no 202, and none
}

// under starts senders that each post one line after another.
func (d *dev) under(t *testing.T, senders int) *load {
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{stop: cancel}
	t.Cleanup(l.end)
	for sender := range senders {
		l.wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
			defer client.CloseIdleConnections()
			for i := 0; ctx.Err() == nil; i++ {
				line := fmt.Sprintf("sender %d line %d %s", sender, i, strings.Repeat("x", i*7919%5000))
				ok, err := d.post(context.WithoutCancel(ctx), client, line)
				l.note(line, ok)
				if err != nil {
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	}
	return l
}

func (l *load) note(line string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ok {
		l.acked = append(l.acked, line)
	} else {
		l.other++
	}
}

// count is how many lines were accepted so far.
func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

func (l *load) end() {
	l.stop()
	l.wg.Wait()
}

// archived counts the lines of the stream orders.
func (d *dev) archived(t *testing.T) map[string]int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(d.data, "archive", "orders", "*", "*", "*.gz"))
	if err != nil {
		t.Fatal(err)
	}
	lines := make(map[string]int)
	for _, path := range files {
		for line := range strings.Lines(unpacked(t, path)) {
			lines[strings.TrimSuffix(line, "\n")]++
		}
	}
	return lines
}

func unpacked(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	body, err := io.ReadAll(z)
	if err != nil {
		t.Fatalf("%s: %v", path, errors.Join(err, z.Close()))
	}
	return string(body)
}

// check compares the archive with what was accepted.
func (l *load) check(t *testing.T, d *dev, once bool) {
	t.Helper()
	found := d.archived(t)
	lost, twice := 0, 0
	for _, line := range l.acked {
		switch n := found[line]; {
		case n == 0:
			lost++
		case n > 1:
			twice++
		}
	}
	t.Logf("%d accepted, %d other answers, %d lost, %d archived twice", len(l.acked), l.other, lost, twice)
	if lost > 0 || len(l.acked) == 0 || once && twice > 0 {
		t.Errorf("of %d accepted lines %d are lost and %d archived twice", len(l.acked), lost, twice)
	}
}
