package local_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/local"
)

// However many call at once, the function gets no more bodies than memory allows,
// and all are answered.
func TestFrontHoldsCallersBack(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int64
	g := newGateway(t, func(context.Context) ([]byte, error) {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		time.Sleep(2 * time.Millisecond)
		return []byte(`{"statusCode":202}`), nil
	})
	body := bytes.Repeat([]byte("x"), 700_000)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if status, _, _ := do(t, request(t, "POST", g.url+"/archives/orders", "", bytes.NewReader(body))); status != 202 {
				t.Errorf("status %d", status)
			}
		})
	}
	wg.Wait()
	if got := most.Load(); got > 4 {
		t.Errorf("%d bodies of 700 kB were in the function at once, want 4 at most", got)
	}
}

// A caller that waits is refused when the front closes; one that is in the
// function has its answer.
func TestFrontCloseRefusesWhoWaits(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	f := &local.Function{Name: "ingest", Timeout: time.Minute, Handler: func(context.Context, []byte) ([]byte, error) {
		close(entered)
		<-leave
		return []byte(`{"statusCode":202}`), nil
	}}
	front := local.NewFront(local.FrontOptions{Function: f, Log: quiet})
	server := httptest.NewServer(front)
	defer server.Close()
	statuses := make(chan int, 2)
	send := func() {
		status, _, _ := do(t, request(t, "POST", server.URL+"/archives/orders", "", bytes.NewReader(make([]byte, 4_500_000))))
		statuses <- status
	}
	go send()
	<-entered
	for range 4 { // More than are admitted at once.
		go send()
	}
	time.Sleep(50 * time.Millisecond)
	front.Close()
	if status := <-statuses; status != 503 {
		t.Errorf("a caller that waited got %d, want 503", status)
	}
	close(leave)
	accepted := 0
	for range 4 {
		if <-statuses == 202 {
			accepted++
		}
	}
	if accepted < 1 {
		t.Error("the admitted caller got no 202")
	}
}

// A client that stops sending gives its place back.
func TestFrontSurvivesClientsThatGoAway(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	for range 50 {
		c, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "POST /archives/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\nonly this")
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if status, _, _ := do(t, request(t, "POST", g.url+"/archives/orders", "", bytes.NewReader(make([]byte, 4_000_000)))); status != 202 {
		t.Errorf("status %d, want 202", status)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.events) != 1 {
		t.Errorf("%d events, want that of the whole request only", len(g.events))
	}
}

// A body whose end is not the same for every reader would smuggle a request past
// one of them.
func TestFrontRefusesBodiesWithoutACertainEnd(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	for name, tt := range map[string]struct {
		rest   string
		status int
	}{
		"malformed chunks":          {"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
		"two lengths":               {"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc", 400},
		"two lengths in one header": {"Content-Length: 2, 3\r\n\r\nabc", 400},
		"a negative length":         {"Content-Length: -1\r\n\r\nabc", 400},
		"a signed length":           {"Content-Length: +3\r\n\r\nabc", 400},
		"another transfer encoding": {"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 501},
		"a space before the colon":  {"Content-Length : 3\r\n\r\nabc", 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			fmt.Fprintf(c, "POST /archives/orders HTTP/1.1\r\nHost: x\r\n%s", tt.rest)
			response, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			if response.StatusCode != tt.status {
				t.Errorf("status %d, want %d", response.StatusCode, tt.status)
			}
		})
	}
	t.Cleanup(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if len(g.events) > 0 {
			t.Errorf("%d events, want none", len(g.events))
		}
	})
}

// A client that sends too slowly gives its place back too.
func TestFrontTurnsAwaySlowClients(t *testing.T) {
	t.Parallel()
	f := &local.Function{Name: "ingest", Timeout: time.Minute, Handler: func(context.Context, []byte) ([]byte, error) {
		t.Error("the function was invoked")
		return []byte(`{"statusCode":202}`), nil
	}}
	server := httptest.NewServer(local.NewFront(local.FrontOptions{Function: f, BodyTimeout: 50 * time.Millisecond, Log: quiet}))
	defer server.Close()
	c, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	fmt.Fprintf(c, "POST /archives/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nonly this")
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != 408 {
		t.Errorf("status %d, want 408", response.StatusCode)
	}
}
