package gateway_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/local/gateway"
	"github.com/data-sink/data-sink/internal/rig/apitest"
)

const shop = "https://shop.example"

// newCORS is a gateway for the pages of shop.
func newCORS(t *testing.T, origins ...string) *httptest.Server {
	t.Helper()
	f := function(func(context.Context, []byte) ([]byte, error) { return []byte(`{"statusCode":202,"body":"{}"}`), nil })
	server := httptest.NewServer(gateway.New(gateway.Config{Function: f, CORSOrigins: origins, Log: quiet}))
	t.Cleanup(server.Close)
	return server
}

func TestAllowedOriginsMayPost(t *testing.T) {
	t.Parallel()
	server := newCORS(t, shop)
	for _, tt := range []struct {
		method, origin string
		status         int
		allowed        string
	}{
		{"OPTIONS", shop, 204, shop},
		{"POST", shop, 202, shop},
		{"OPTIONS", "https://other.example", 204, ""},
		{"POST", "https://other.example", 202, ""},
		{"POST", "", 202, ""},
	} {
		r := apitest.Request(t, tt.method, server.URL+"/archives/orders", "", strings.NewReader("x"))
		if tt.origin != "" {
			r.Header.Set("Origin", tt.origin)
		}
		status, header, _ := apitest.Do(t, http.DefaultClient, r)
		if status != tt.status {
			t.Errorf("%s of %q = %d, want %d", tt.method, tt.origin, status, tt.status)
		}
		if got := header.Get("Access-Control-Allow-Origin"); got != tt.allowed {
			t.Errorf("%s of %q allows %q, want %q", tt.method, tt.origin, got, tt.allowed)
		}
		if got := header.Get("Access-Control-Allow-Credentials"); got != "" {
			t.Errorf("%s of %q allows credentials: %q", tt.method, tt.origin, got)
		}
		preflight := tt.method == http.MethodOptions && tt.allowed != ""
		if got := header.Get("Access-Control-Allow-Headers"); strings.Contains(got, "authorization") != preflight {
			t.Errorf("%s of %q allows the headers %q", tt.method, tt.origin, got)
		}
	}
}

func TestWithoutOriginsThereIsNoCORS(t *testing.T) {
	t.Parallel()
	server := newCORS(t)
	r := apitest.Request(t, "OPTIONS", server.URL+"/archives/orders", "", nil)
	r.Header.Set("Origin", shop)
	status, header, _ := apitest.Do(t, http.DefaultClient, r)
	if status != 404 {
		t.Errorf("preflight = %d, want 404", status)
	}
	if got := header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("allowed origin %q, want none", got)
	}
}
