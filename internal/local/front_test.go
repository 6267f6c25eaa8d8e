package local_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
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

func TestFrontBuildsTheEventOfAnHTTPAPI(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	r := request(t, "POST", g.url+"/archives/a%2Fb%C3%A9?partition_key=x%20y&n=1&n=2", "application/octet-stream", strings.NewReader("\x00\xff"))
	r.SetBasicAuth("user", "pass:word")
	r.Header["X-Many"] = []string{"1", "2"}
	r.Header["Cookie"] = []string{"a=1; b=2", "c=3"}
	r.Header.Set("User-Agent", "test/1")
	status, header, body := do(t, r)
	if status != 202 || body != "{}" || header.Get("Content-Type") != "application/json" || header.Get("Apigw-Requestid") == "" {
		t.Errorf("answer %d, %q, %v", status, body, header)
	}
	got := g.last(t)
	host := strings.TrimPrefix(g.url, "http://")
	if got.RequestContext.RequestID != header.Get("Apigw-Requestid") || time.Since(time.UnixMilli(got.RequestContext.TimeEpoch)) > time.Minute {
		t.Errorf("request context %+v", got.RequestContext)
	}
	if at, err := time.Parse("02/Jan/2006:15:04:05 -0700", got.RequestContext.Time); err != nil || time.Since(at) > time.Minute {
		t.Errorf("time %q", got.RequestContext.Time)
	}
	got.RequestContext.RequestID, got.RequestContext.Time, got.RequestContext.TimeEpoch = "", "", 0
	want := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "POST /archives/{stream}",
		RawPath: "/archives/a%2Fb%C3%A9", RawQueryString: "partition_key=x%20y&n=1&n=2",
		Cookies: []string{"a=1", "b=2", "c=3"},
		Headers: map[string]string{
			"accept-encoding": "gzip", "authorization": "Basic dXNlcjpwYXNzOndvcmQ=", "content-length": "2",
			"content-type": "application/octet-stream", "host": host, "user-agent": "test/1", "x-many": "1,2",
			"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http",
		},
		QueryStringParameters: map[string]string{"partition_key": "x y", "n": "1,2"},
		PathParameters:        map[string]string{"stream": "a/bé"},
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey: "POST /archives/{stream}", AccountID: "000000000000", Stage: "$default", APIID: "local", DomainName: host, DomainPrefix: "local",
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method: "POST", Path: "/archives/a/bé", Protocol: "HTTP/1.1", SourceIP: "127.0.0.1", UserAgent: "test/1",
			},
		},
		Body: "AP8=", IsBase64Encoded: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("event differs (-want +got):\n%s", diff)
	}
}

// Text types travel as text, all others as base64; either way the bytes arrive.
func TestFrontPassesBodies(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("naïve \"quotes\" \\ \t\r\n\x00\x1f\u2028 <&> 日本 🎉 ", 40_000)
	for _, tt := range []struct {
		contentType, body string
		text              bool
	}{
		{"application/json", `{"a":"é"}`, true},
		{"Application/JSON; charset=utf-8", `{"a":1}`, true},
		{"text/plain", long, true},
		{"text/x-anything", "a", true},
		{"application/xml", "<a/>", true},
		{"application/javascript", "1", true},
		{"application/octet-stream", long, false},
		{"application/x-www-form-urlencoded", "a=b", false},
		{"application/vnd.api+json", "{}", false},
		{"", "no type", false},
		{"text/;;;", "a malformed type", true},
		{"application/octet-stream", "\x1f\x8b\x00\xff", false},
	} {
		for _, chunked := range []bool{false, true} {
			g := newGateway(t, nil)
			var body io.Reader = strings.NewReader(tt.body)
			if chunked {
				body = io.MultiReader(body) // Hides the length.
			}
			if status, _, _ := do(t, request(t, "POST", g.url+"/archives/orders", tt.contentType, body)); status != 202 {
				t.Fatalf("%s: status %d", tt.contentType, status)
			}
			e := g.last(t)
			got := e.Body
			if e.IsBase64Encoded {
				decoded, err := base64.StdEncoding.DecodeString(e.Body)
				if err != nil {
					t.Fatal(err)
				}
				got = string(decoded)
			}
			if e.IsBase64Encoded == tt.text || got != tt.body {
				t.Errorf("%q, chunked %v: base64 %v, %d bytes, want text %v and the %d bytes that were sent", tt.contentType, chunked, e.IsBase64Encoded, len(got), tt.text, len(tt.body))
			}
		}
	}
}

// What is not UTF-8 cannot survive in a JSON string.
func TestFrontReplacesWhatIsNoText(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	for _, body := range []string{"a\xffb", "\x1f\x8b\x08\x00\xfe\xff", "\xe2\x82", strings.Repeat("é", 30_000) + "\xc3"} {
		do(t, request(t, "POST", g.url+"/archives/orders", "application/json", strings.NewReader(body)))
		quoted, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		var want string
		if err := json.Unmarshal(quoted, &want); err != nil {
			t.Fatal(err)
		}
		if got := g.last(t); got.Body != want || got.IsBase64Encoded {
			t.Errorf("body of %d bytes arrives as %d bytes, want what encoding/json makes of it", len(body), len(got.Body))
		}
	}
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

func TestFrontRefusesMalformedChunks(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	c, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	fmt.Fprintf(c, "POST /archives/orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != 400 {
		t.Errorf("status %d, want 400", response.StatusCode)
	}
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
