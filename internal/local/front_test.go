package local_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/data-sink/data-sink/internal/local"
	"github.com/google/go-cmp/cmp"
)

// gateway is a front before a function that notes its events and answers 202.
type gateway struct {
	url string

	mu     sync.Mutex
	events []events.APIGatewayV2HTTPRequest
}

func newGateway(t *testing.T, answer func(context.Context) ([]byte, error)) *gateway {
	t.Helper()
	g := &gateway{}
	f := &local.Function{Name: "ingest", Timeout: time.Minute, Handler: func(ctx context.Context, event []byte) ([]byte, error) {
		var e events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(event, &e); err != nil {
			return nil, fmt.Errorf("the event is none: %w", err)
		}
		g.mu.Lock()
		g.events = append(g.events, e)
		g.mu.Unlock()
		if answer != nil {
			return answer(ctx)
		}
		return []byte(`{"statusCode":202,"headers":{"content-type":"application/json"},"body":"{}"}`), nil
	}}
	server := httptest.NewServer(local.NewFront(local.FrontOptions{Function: f, Log: quiet}))
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}

func (g *gateway) last(t *testing.T) events.APIGatewayV2HTTPRequest {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.events) == 0 {
		t.Fatal("the function was not invoked")
	}
	return g.events[len(g.events)-1]
}

func request(tb testing.TB, method, url, contentType string, body io.Reader) *http.Request {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), method, url, body)
	if err != nil {
		tb.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

// do sends a request and returns the answer's status, header and body.
func do(tb testing.TB, r *http.Request) (int, http.Header, string) {
	tb.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return response.StatusCode, response.Header, string(body)
}

func TestFrontAnswersByItselfWhatAPIGatewayDoes(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
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
		{"POST", "/archives/orders/", "", large(1), 404},
		{"POST", "/archives//orders", "", large(1), 404},
		{"POST", "/archives/orders/1", "", large(1), 404},
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
		status, _, body := do(t, request(t, tt.method, g.url+tt.path, tt.contentType, tt.body))
		if status != tt.status {
			t.Errorf("%s %s = %d, want %d", tt.method, tt.path, status, tt.status)
		}
		messages := map[int]string{404: `{"message":"Not Found"}`, 413: `{"message":"Request Entity Too Large"}`, 202: "{}"}
		if body != messages[status] {
			t.Errorf("%s %s = %d %q", tt.method, tt.path, status, body)
		}
	}
}

func TestFrontWritesTheFunctionsResponse(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer string
		err    error
		status int
		body   string
	}{
		"text":             {answer: `{"statusCode":418,"headers":{"X-A":"1"},"cookies":["a=1","b=2"],"body":"tea"}`, status: 418, body: "tea"},
		"base64":           {answer: `{"statusCode":200,"body":"AP8=","isBase64Encoded":true}`, status: 200, body: "\x00\xff"},
		"wrong base64":     {answer: `{"statusCode":200,"body":"?","isBase64Encoded":true}`, status: 500, body: `{"message":"Internal Server Error"}`},
		"no status":        {answer: `{"body":"tea"}`, status: 500, body: `{"message":"Internal Server Error"}`},
		"no JSON":          {answer: `tea`, status: 500, body: `{"message":"Internal Server Error"}`},
		"the function err": {err: errors.New("secret detail"), status: 500, body: `{"message":"Internal Server Error"}`},
		"too large":        {answer: `{"statusCode":200,"body":"` + strings.Repeat("a", 6<<20) + `"}`, status: 500, body: `{"message":"Internal Server Error"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, func(ctx context.Context) ([]byte, error) {
				if lc, ok := lambdacontext.FromContext(ctx); !ok || lc.AwsRequestID == "" {
					t.Error("the function's context has no request id")
				}
				if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > time.Minute {
					t.Error("the function's context has no deadline")
				}
				return []byte(tt.answer), tt.err
			})
			status, header, body := do(t, request(t, "POST", g.url+"/archives/orders", "", strings.NewReader("x")))
			if status != tt.status || body != tt.body {
				t.Errorf("answer %d %q, want %d %q", status, body, tt.status, tt.body)
			}
			if name == "text" && (header.Get("X-A") != "1" || !cmp.Equal(header.Values("Set-Cookie"), []string{"a=1", "b=2"})) {
				t.Errorf("header %v", header)
			}
		})
	}
}

func TestFrontOutlivesAPanic(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(context.Context) ([]byte, error) { panic("a fault") })
	if status, _, _ := do(t, request(t, "POST", g.url+"/archives/orders", "", strings.NewReader("x"))); status != 500 {
		t.Errorf("status %d, want 500", status)
	}
}
