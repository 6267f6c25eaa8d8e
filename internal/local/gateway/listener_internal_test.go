package gateway

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/rig/apitest"
)

// serveBound serves HTTP with this number of connections at once, and returns the address.
func serveBound(t *testing.T, connections int) string {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Hour, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "served")
	})}
	bounded := bound(l, server, connections)
	go func() { _ = server.Serve(bounded) }() // It ends with Close.
	t.Cleanup(func() { _ = server.Close() })
	return l.Addr().String()
}

// request sends a request over a connection of its own, and reports whether the server
// keeps the connection open.
func request(t *testing.T, addr string) (keptOpen bool) {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: 5 * time.Minute}
	response, err := client.Do(apitest.Request(t, "GET", "http://"+addr, "", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err := io.ReadAll(response.Body); err != nil || string(body) != "served" {
		t.Errorf("body %q, %v", body, err)
	}
	return !response.Close
}

func TestAConnectionEndsWhenNoSlotIsFree(t *testing.T) {
	t.Parallel()
	full, free := serveBound(t, 1), serveBound(t, 100)
	for range 3 {
		if request(t, full) {
			t.Error("a connection stays open while all slots are taken")
		}
		if !request(t, free) {
			t.Error("a connection was ended while slots are free")
		}
	}
}

func TestAnIdleConnectionGivesItsSlotToAnother(t *testing.T) {
	t.Parallel()
	addr := serveBound(t, 1)
	idle, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = idle.Close() }()
	request(t, addr)
}
