package main_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
)

var (
	megabytes = flag.Int("megabytes", 300, "how much passes through in the test of memory; the issue's figure is 1000")
	callers   = flag.Int("callers", 2000, "how many call at once in the test of memory")
)

// mostMemory is what the whole process may take, embedded Redis included.
const mostMemory = 150 << 20

// peak is the largest resident set that the process has had, in bytes.
func (d *dev) peak(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var kilobytes int
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10
		}
	}
	t.Fatal("no VmHWM in the status of the process")
	return 0
}

// pour posts lines of 100 kB over several connections at once.
func pour(t *testing.T, d *dev, connections, lines int) {
	t.Helper()
	random := make([]byte, 50_000)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	line := hex.AppendEncode(nil, random)
	work := make(chan int)
	var wg sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	for range connections {
		wg.Go(func() {
			body := bytes.Clone(line)
			for i := range work {
				copy(body, fmt.Sprintf("%016d", i))
				if ok, err := d.post(t.Context(), client, string(body)); !ok || err != nil {
					t.Errorf("post = %v, %v, want it accepted", ok, err)
				}
			}
		})
	}
	for i := range lines {
		work <- i
	}
	close(work)
	wg.Wait()
}

// Whatever passes, and however many call, the process stays small. Not parallel:
// the machine should be busy with this alone.
func TestDevMemoryStaysFlat(t *testing.T) {
	for _, tt := range []struct{ connections, lines int }{
		{8, *megabytes * 10},
		{*callers, max(2**callers, *megabytes*2)},
	} {
		d := start(t, t.TempDir())
		pour(t, d, tt.connections, tt.lines)
		peak := d.peak(t)
		d.signal(t, syscall.SIGTERM)
		if code := d.exit(t); code != 0 {
			t.Errorf("exit code %d, want 0", code)
		}
		t.Logf("%d MB over %d connections: peak %d MB", tt.lines/10, tt.connections, peak/1_000_000)
		if peak > mostMemory {
			t.Errorf("%d MB over %d connections took %d bytes of memory, want %d at most", tt.lines/10, tt.connections, peak, mostMemory)
		}
		if got := len(d.archived(t)); got != tt.lines {
			t.Errorf("%d lines in the archive, want %d", got, tt.lines)
		}
	}
}
