package guard_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/data-sink/data-sink/internal/local/guard"
)

func TestForProgramsServesProgramsOnly(t *testing.T) {
	t.Parallel()
	h := guard.ForPrograms(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for _, tt := range []struct {
		host, listener string
		header, value  string
		status         int
	}{
		{host: "127.0.0.1:8081", status: 418},
		{host: "localhost", status: 418},
		{host: "LOCALHOST:8081", status: 418},
		{host: "localhost.:8081", status: 418},
		{host: "datasink-archive.localhost:8081", status: 418},
		{host: "[::1]:8081", status: 418},
		{host: "127.9.9.9", status: 418},
		{host: "attacker.example:8081", status: 403},
		{host: "localhost.attacker.example", status: 403},
		{host: "notlocalhost", status: 403},
		{host: "0.0.0.0:8081", status: 403},
		{host: "192.0.2.1", status: 403},
		{host: "", status: 403},
		{host: "datasink", status: 403},
		{host: "host.docker.internal", status: 403},
		{host: "attacker.example:8081", listener: "192.0.2.1", status: 403},
		{host: "datasink.attacker.example", listener: "192.0.2.1", status: 403},
		{host: "host.docker.internal.attacker.example", listener: "192.0.2.1", status: 403},
		{host: "192.0.2.1.attacker.example", listener: "192.0.2.1", status: 403},
		{host: "", listener: "192.0.2.1", status: 403},
		{host: "192.0.2.1:8081", listener: "192.0.2.1", status: 418},
		{host: "[2001:db8::1]:8081", listener: "2001:db8::1", status: 418},
		{host: "datasink:8081", listener: "192.0.2.1", status: 418},
		{host: "localhost:8081", listener: "192.0.2.1", status: 418},
		{host: "datasink-archive.localhost:8081", listener: "192.0.2.1", status: 418},
		{host: "host.docker.internal:8081", listener: "192.0.2.1", status: 418},
		{host: "localhost", header: "Origin", value: "http://localhost", status: 403},
		{host: "localhost", header: "Origin", value: "null", status: 403},
		{host: "localhost", header: "Sec-Fetch-Site", value: "cross-site", status: 403},
		{host: "localhost", header: "Sec-Fetch-Site", value: "same-origin", status: 403},
		{host: "localhost", header: "Sec-Fetch-Site", value: "none", status: 418},
		{host: "datasink", listener: "192.0.2.1", header: "Origin", value: "http://datasink", status: 403},
	} {
		listener := tt.listener
		if listener == "" {
			listener = "127.0.0.1"
		}
		r := httptest.NewRequest(http.MethodGet, "/x", nil)
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.ParseIP(listener)}))
		r.Host = tt.host
		if tt.header != "" {
			r.Header.Set(tt.header, tt.value)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status {
			t.Errorf("Host %q at %s with %s %q = %d, want %d", tt.host, listener, tt.header, tt.value, w.Code, tt.status)
		}
		if got := w.Header().Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("Host %q: X-Content-Type-Options %q, want nosniff", tt.host, got)
		}
	}
}

func TestWithTokenWantsTheToken(t *testing.T) {
	t.Parallel()
	h := guard.WithToken("right", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for authorization, want := range map[string]int{"Bearer right": 418, "Bearer wrong": 401, "right": 401, "": 401, "Basic right": 401} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("Authorization %q = %d, want %d", authorization, w.Code, want)
		}
	}
}
