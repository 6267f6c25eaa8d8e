package gateway_test

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

	"github.com/data-sink/data-sink/internal/local/gateway"
	"github.com/data-sink/data-sink/internal/rig/apitest"
)

// The function gets no more bodies at once than fit into memory, and all requests
// are answered.
func TestRequestsAreHeldBack(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int64
	g := newAPI(t, func(context.Context) ([]byte, error) {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		time.Sleep(2 * time.Millisecond)
		return []byte(`{"statusCode":202}`), nil
	})
	body := bytes.Repeat([]byte("x"), 700_000)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if status, _, _ := apitest.Do(t, http.DefaultClient, apitest.Request(t, "POST", g.url+"/archives/orders", "", bytes.NewReader(body))); status != 202 {
				t.Errorf("status %d", status)
			}
		})
	}
	wg.Wait()
	if got := most.Load(); got > 4 {
		t.Errorf("%d bodies of 700 kB were in the function at once, want 4 at most", got)
	}
}

// Close refuses requests that wait. A request that is in the function gets its
// response.
func TestCloseRefusesRequestsThatWait(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	enter := sync.OnceFunc(func() { close(entered) })
	f := function(func(context.Context, []byte) ([]byte, error) {
		enter()
		<-leave
		return []byte(`{"statusCode":202}`), nil
	})
	front := gateway.New(gateway.Config{Function: f, Log: quiet})
	server := httptest.NewServer(front)
	defer server.Close()
	statuses := make(chan int, 2)
	send := func() {
		status, _, _ := apitest.Do(t, http.DefaultClient, apitest.Request(t, "POST", server.URL+"/archives/orders", "", bytes.NewReader(make([]byte, 4_500_000))))
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

// A client that disconnects in the middle of its body frees its memory.
func TestDisconnectedClientsHoldNoMemory(t *testing.T) {
	t.Parallel()
	g := newAPI(t, nil)
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
	if status, _, _ := apitest.Do(t, http.DefaultClient, apitest.Request(t, "POST", g.url+"/archives/orders", "", bytes.NewReader(make([]byte, 4_000_000)))); status != 202 {
		t.Errorf("status %d, want 202", status)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.events) != 1 {
		t.Errorf("%d events, want the event of the whole request only", len(g.events))
	}
}

// A body whose end is ambiguous could smuggle a second request past a proxy.
func TestBodiesWithAnAmbiguousEndAreRefused(t *testing.T) {
	t.Parallel()
	g := newAPI(t, nil)
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

// A client that sends too slowly gets 408.
func TestSlowClientsTimeOut(t *testing.T) {
	t.Parallel()
	f := function(func(context.Context, []byte) ([]byte, error) {
		t.Error("the function was invoked")
		return []byte(`{"statusCode":202}`), nil
	})
	server := httptest.NewServer(gateway.New(gateway.Config{Function: f, BodyTimeout: 50 * time.Millisecond, Log: quiet}))
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

// Clients that announce large bodies and do not send them hold up others only for
// a moment.
func TestSlowStrangersDoNotHoldUpOthers(t *testing.T) {
	t.Parallel()
	// Only a server that ends slow clients while others wait answers within an hour.
	f := function(func(context.Context, []byte) ([]byte, error) { return []byte(`{"statusCode":202}`), nil })
	server := httptest.NewServer(gateway.New(gateway.Config{Function: f, BodyTimeout: time.Hour, Log: quiet}))
	t.Cleanup(server.Close)
	for range 8 { // Together they announce more than is admitted at once.
		c, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		fmt.Fprintf(c, "POST /archives/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 4500000\r\n\r\nonly this")
	}
	client := &http.Client{Timeout: 5 * time.Minute}
	for range 3 {
		if status, _, _ := apitest.Do(t, client, apitest.Request(t, "POST", server.URL+"/archives/orders", "", bytes.NewReader(make([]byte, 4_500_000)))); status != 202 {
			t.Errorf("status %d, want 202", status)
		}
	}
}
