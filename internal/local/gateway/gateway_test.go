package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/data-sink/data-sink/internal/local/gateway"
	"github.com/data-sink/data-sink/internal/rig/apitest"
	"github.com/google/go-cmp/cmp"
)

var quiet = slog.New(slog.DiscardHandler)

// function is an ingest function.
type function func(ctx context.Context, event []byte) ([]byte, error)

func (f function) Invoke(ctx context.Context, event []byte) ([]byte, error) { return f(ctx, event) }

// api is a gateway before a function that records its events and answers 202.
type api struct {
	url string

	mu     sync.Mutex
	events []events.APIGatewayV2HTTPRequest
}

func newAPI(t *testing.T, answer func(context.Context) ([]byte, error)) *api {
	t.Helper()
	g := &api{}
	f := function(func(ctx context.Context, event []byte) ([]byte, error) {
		var e events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(event, &e); err != nil {
			return nil, fmt.Errorf("decoding the event: %w", err)
		}
		g.mu.Lock()
		g.events = append(g.events, e)
		g.mu.Unlock()
		if answer != nil {
			return answer(ctx)
		}
		return []byte(`{"statusCode":202,"headers":{"content-type":"application/json"},"body":"{}"}`), nil
	})
	server := httptest.NewServer(gateway.New(gateway.Config{Function: f, Log: quiet}))
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}

func (g *api) last(t *testing.T) events.APIGatewayV2HTTPRequest {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.events) == 0 {
		t.Fatal("the function was not invoked")
	}
	return g.events[len(g.events)-1]
}

func TestTheGatewayAnswersSomeRequestsByItself(t *testing.T) {
	t.Parallel()
	g := newAPI(t, nil)
	large := func(n int) io.Reader { return bytes.NewReader(make([]byte, n)) }
	for _, tt := range []struct {
		method, path, contentType string
		body                      io.Reader
		status                    int
	}{
		{"GET", "/", "", nil, 404},
		{"GET", "/archives/orders", "", nil, 404},
		{"PUT", "/archives/orders", "", large(1), 404},
		{"POST", "/archives", "", large(1), 404},
		{"POST", "/archives/", "", large(1), 404},
		{"POST", "/archives/orders/", "", large(1), 202},
		{"POST", "/archives//orders", "", large(1), 202},
		{"POST", "/archives/orders/batch", "", large(1), 202},
		{"POST", "/Archives/orders", "", large(1), 404},
		{"POST", "/health", "", large(1), 404},
		{"POST", "/archives/orders", "", large(10<<20 + 1), 413},
		{"POST", "/archives/orders", "", large(10 << 20), 413}, // As base64 over the 6 MiB of Lambda.
		{"POST", "/archives/orders", "", large(5_000_000), 413},
		{"POST", "/archives/orders", "", io.MultiReader(large(5_000_000)), 413},
		{"POST", "/archives/orders", "", io.MultiReader(large(11 << 20)), 413},
		{"POST", "/archives/orders", "text/plain", large(2 << 20), 413}, // Each NUL takes six bytes.
		{"POST", "/archives/orders", "", large(4_600_000), 202},
		{"POST", "/archives/orders", "", io.MultiReader(large(4_600_000)), 202},
		{"POST", "/archives/orders", "", nil, 202},
		{"GET", "/health", "", nil, 202},
		{"GET", "/health?x=1", "", nil, 202},
	} {
		status, _, body := apitest.Do(t, http.DefaultClient, apitest.Request(t, tt.method, g.url+tt.path, tt.contentType, tt.body))
		if status != tt.status {
			t.Errorf("%s %s = %d, want %d", tt.method, tt.path, status, tt.status)
		}
		messages := map[int]string{404: `{"message":"Not Found"}`, 413: `{"message":"Request Entity Too Large"}`, 202: "{}"}
		if body != messages[status] {
			t.Errorf("%s %s = %d %q", tt.method, tt.path, status, body)
		}
	}
}

func TestTheFunctionsResponseIsWritten(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer string
		err    error
		status int
		body   string
	}{
		"text":              {answer: `{"statusCode":418,"headers":{"X-A":"1"},"cookies":["a=1","b=2"],"body":"tea"}`, status: 418, body: "tea"},
		"base64":            {answer: `{"statusCode":200,"body":"AP8=","isBase64Encoded":true}`, status: 200, body: "\x00\xff"},
		"wrong base64":      {answer: `{"statusCode":200,"body":"?","isBase64Encoded":true}`, status: 500, body: `{"message":"Internal Server Error"}`},
		"no status":         {answer: `{"body":"tea"}`, status: 500, body: `{"message":"Internal Server Error"}`},
		"not JSON":          {answer: `tea`, status: 500, body: `{"message":"Internal Server Error"}`},
		"a failed function": {err: errors.New("secret detail"), status: 500, body: `{"message":"Internal Server Error"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newAPI(t, func(context.Context) ([]byte, error) {
				return []byte(tt.answer), tt.err
			})
			status, header, body := apitest.Do(t, http.DefaultClient, apitest.Request(t, "POST", g.url+"/archives/orders", "", strings.NewReader("x")))
			if status != tt.status || body != tt.body {
				t.Errorf("answer %d %q, want %d %q", status, body, tt.status, tt.body)
			}
			if name == "text" && (header.Get("X-A") != "1" || !cmp.Equal(header.Values("Set-Cookie"), []string{"a=1", "b=2"})) {
				t.Errorf("header %v", header)
			}
		})
	}
}
