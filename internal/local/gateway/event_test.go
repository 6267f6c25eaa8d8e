package gateway_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/data-sink/data-sink/internal/local/gateway"
	"github.com/data-sink/data-sink/internal/rig/apitest"
	"github.com/google/go-cmp/cmp"
)

func TestTheEventIsThatOfAnHTTPAPI(t *testing.T) {
	t.Parallel()
	g := newAPI(t, nil)
	r := apitest.Request(t, "POST", g.url+"/archives/a%2Fb%C3%A9?partition_key=x%20y&n=1&n=2", "application/octet-stream", strings.NewReader("\x00\xff"))
	r.SetBasicAuth("user", "pass:word")
	r.Header["X-Many"] = []string{"1", "2"}
	r.Header["Cookie"] = []string{"a=1; b=2", "c=3"}
	r.Header.Set("User-Agent", "test/1")
	status, header, body := apitest.Do(t, http.DefaultClient, r)
	if status != 202 || body != "{}" {
		t.Errorf("response %d %q, want 202 {}", status, body)
	}
	if got := header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q, want the one of the function", got)
	}
	if header.Get("Apigw-Requestid") == "" {
		t.Error("no Apigw-Requestid")
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
		Version: "2.0", RouteKey: "POST /archives/{stream+}",
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
			RouteKey: "POST /archives/{stream+}", AccountID: "000000000000", Stage: "$default", APIID: "local", DomainName: host, DomainPrefix: "local",
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

// Bodies of text types are passed as text, all others as base64. The bytes arrive
// unchanged.
func TestBodiesReachTheFunction(t *testing.T) {
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
			g := newAPI(t, nil)
			var body io.Reader = strings.NewReader(tt.body)
			if chunked {
				body = io.MultiReader(body) // Hides the length.
			}
			if status, _, _ := apitest.Do(t, http.DefaultClient, apitest.Request(t, "POST", g.url+"/archives/orders", tt.contentType, body)); status != 202 {
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

// A JSON string cannot hold bytes that are not UTF-8.
func TestTextThatIsNotUTF8IsReplaced(t *testing.T) {
	t.Parallel()
	g := newAPI(t, nil)
	for _, body := range []string{"a\xffb", "\x1f\x8b\x08\x00\xfe\xff", "\xe2\x82", strings.Repeat("é", 30_000) + "\xc3"} {
		apitest.Do(t, http.DefaultClient, apitest.Request(t, "POST", g.url+"/archives/orders", "application/json", strings.NewReader(body)))
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

// Requests at the same time do not see the events of others, although they use the
// memory of earlier events.
func TestEventsAreNotMixed(t *testing.T) {
	t.Parallel()
	f := function(func(_ context.Context, event []byte) ([]byte, error) {
		var e events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(event, &e); err != nil {
			return nil, err
		}
		return json.Marshal(events.APIGatewayV2HTTPResponse{StatusCode: 202, Body: e.Headers["x-name"] + e.Body})
	})
	server := httptest.NewServer(gateway.New(gateway.Config{Function: f, Log: quiet}))
	t.Cleanup(server.Close)
	var wg sync.WaitGroup
	for client := range 8 {
		wg.Go(func() {
			for n := range 50 {
				name, body := fmt.Sprintf("%d-%d ", client, n), strings.Repeat(fmt.Sprint(client), n*400)
				r := apitest.Request(t, "POST", server.URL+"/archives/orders", "application/json", strings.NewReader(body))
				r.Header.Set("X-Name", name)
				status, _, got := apitest.Do(t, http.DefaultClient, r)
				if want := strings.TrimSpace(name) + body; status != 202 || got != want {
					t.Errorf("status %d with %d bytes, want 202 and the %d bytes of this request", status, len(got), len(want))
				}
			}
		})
	}
	wg.Wait()
}

// Any text is a valid JSON string in the event.
func TestTextsAreEscaped(t *testing.T) {
	t.Parallel()
	g := newAPI(t, nil)
	r := apitest.Request(t, "POST", g.url+"/archives/a%22%5C%0A?q=%22%5C%01&%3C=%F0%9F%8E%89", "application/json", nil)
	r.Header.Set("User-Agent", `a "quoted" \ <agent>`)
	apitest.Do(t, http.DefaultClient, r)
	got := g.last(t)
	if got.PathParameters["stream"] != "a\"\\\n" || got.RequestContext.HTTP.UserAgent != `a "quoted" \ <agent>` || got.Headers["user-agent"] != `a "quoted" \ <agent>` {
		t.Errorf("stream %q, user agent %q", got.PathParameters["stream"], got.RequestContext.HTTP.UserAgent)
	}
	if diff := cmp.Diff(map[string]string{"q": "\"\\\x01", "<": "🎉"}, got.QueryStringParameters); diff != "" {
		t.Errorf("query differs (-want +got):\n%s", diff)
	}
}
