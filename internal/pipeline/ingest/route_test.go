package ingest_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

func TestStreamNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*events.APIGatewayV2HTTPRequest)
		want   string // the stream, empty for 404
	}{
		{"as is", func(*events.APIGatewayV2HTTPRequest) {}, "orders"},
		{"percent-encoded parameter", parameter("%6frders%2Deu"), "orders-eu"},
		{"percent-encoded path", path("/archives/%6Frders%2deu"), "orders-eu"},
		{"no parameter", path("/archives/orders"), "orders"},
		{"slash at the end of the path", path("/archives/orders/"), "orders"},
		{"slash at the end of the parameter", parameter("orders/"), "orders"},
		{"parameters null, as JSON has it", func(e *events.APIGatewayV2HTTPRequest) { e.PathParameters = nil }, "orders"},
		{"stage in the path", func(e *events.APIGatewayV2HTTPRequest) {
			path("/prod/archives/orders")(e)
			e.RequestContext.Stage = "prod"
		}, "orders"},
		{"base path of a domain", func(e *events.APIGatewayV2HTTPRequest) { e.RawPath = "/v1/archives/orders" }, "orders"},

		{"unknown", parameter("nope"), ""},
		{"retired", parameter("gone"), ""},
		{"upper case", parameter("Orders"), ""},
		{"plus is no space", parameter("+orders"), ""},
		{"space", parameter("orders "), ""},
		{"encoded slash", parameter("orders%2Feu"), ""},
		{"decoded slash", parameter("orders/eu"), ""},
		{"dots", parameter(".."), ""},
		{"dots to another", parameter("legacy/../orders"), ""},
		{"encoded dots", parameter("%2e%2e%2forders"), ""},
		{"backslash", parameter(`orders\`), ""},
		{"NUL", parameter("orders\x00"), ""},
		{"encoded NUL", parameter("orders%00"), ""},
		{"line end", parameter("orders\n"), ""},
		{"encoded line end", parameter("orders%0a"), ""},
		{"Cyrillic look-alike", parameter("оrders"), ""},
		{"full-width look-alike", parameter("ｏrders"), ""},
		{"zero-width joiner", parameter("or\u200dders"), ""},
		{"not UTF-8", parameter("orders%ff"), ""},
		{"malformed escape", parameter("orders%"), ""},
		{"malformed escape in the middle", parameter("or%zzders"), ""},
		{"hash tag of another key", parameter("orders}:queue"), ""},
		{"very long", parameter(strings.Repeat("a", 1<<20)), ""},
		{"path of two segments", path("/archives/orders/eu"), ""},
		{"path with two slashes at the end", path("/archives/orders//"), ""},
		{"parameter with two slashes at the end", parameter("orders//"), ""},
		{"encoded slash at the end", path("/archives/orders%2F"), ""},
		{"path with two slashes", path("/archives//orders"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			e := event(t, post(t, "hello"))
			tt.change(&e)
			if tt.want == "" {
				if got := s.read(s.invoke(t.Context(), e), 404); got.Code != "unknown_stream" {
					t.Errorf("code = %q, want unknown_stream", got.Code)
				}
				if len(s.queue.records)+len(s.archive.puts) != 0 {
					t.Error("a record was kept")
				}
				return
			}
			s.read(s.invoke(t.Context(), e), 202)
			if got := s.kept().Stream; got != tt.want {
				t.Errorf("stream = %q, want %q", got, tt.want)
			}
		})
	}
}

func parameter(name string) func(*events.APIGatewayV2HTTPRequest) {
	return func(e *events.APIGatewayV2HTTPRequest) {
		e.PathParameters = map[string]string{"stream": name}
		e.RawPath = "/archives/" + name
	}
}

// path makes an event without a path parameter, as for the route $default.
func path(p string) func(*events.APIGatewayV2HTTPRequest) {
	return func(e *events.APIGatewayV2HTTPRequest) { e.PathParameters, e.RawPath, e.RouteKey = nil, p, "$default" }
}

func TestOtherPaths(t *testing.T) {
	t.Parallel()
	for _, p := range []string{"", "/", "/archives", "/Archives/orders", "archives/orders", "//archives/orders", "/../archives/orders", "/healthy", "/health/", "/%2e", "/prod/archives/orders", "*"} {
		s := newService(t)
		e := event(t, post(t, "hello"))
		path(p)(&e)
		if got := s.read(s.invoke(t.Context(), e), 404); got.Code != "not_found" {
			t.Errorf("path %q: code = %q, want not_found", p, got.Code)
		}
	}
}

func TestPartitionKeys(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("é", 256)
	for query, want := range map[string]string{
		"":                                              "",
		"partition_key=":                                "",
		"partition_key":                                 "",
		"other=1":                                       "",
		"Partition_Key=a":                               "",
		"partition_keys=a":                              "",
		"partition_key=a":                               "a",
		"partition_key=a&partition_key=b":               "a",
		"partition_key=&partition_key=b":                "",
		"x=1&partition_key=a%20b+c%26%3D":               "a b c&=",
		"partition_key=a=b":                             "a=b",
		"partition%5Fkey=a":                             "a",
		"partition_key=%F0%9F%98%80":                    "😀",
		"partition_key=100%":                            "100%",
		"partition_key=a%zz":                            "a%zz",
		"%zz=1&&=&partition_key=a":                      "a",
		"partition_key=%00%0A":                          "\x00\n",
		"partition_key=" + url.QueryEscape(longest):     longest,
		"partition_key=" + strings.Repeat("%41", 256):   strings.Repeat("A", 256),
		"partition_key=a;b":                             "a;b",
		"partition_key=../../etc&x=" + random(10)[:0]:   "../../etc",
		"a=1&b=2&c=3&partition_key=d&e=4&partition_key": "d",
	} {
		s := newService(t)
		e := event(t, post(t, "hello"))
		e.RawQueryString = query
		s.read(s.invoke(t.Context(), e), 202)
		if got := s.kept(); got.PartitionKey != want {
			t.Errorf("query %.60q: partition key = %q, want %q", query, got.PartitionKey, want)
		} else if key := got.KinesisKey(); want == "" && key != got.ID {
			t.Errorf("query %.60q: Kinesis key = %q, want the id", query, key)
		}
	}
	for _, query := range []string{
		"partition_key=" + url.QueryEscape(longest+"é"), "partition_key=" + strings.Repeat("a", 257), "partition_key=%ff", "partition_key=a%ed%a0%80",
		"partition_key=%ff&partition_key=a", "partition_key=" + strings.Repeat("x", 1<<20),
	} {
		s := newService(t)
		e := event(t, post(t, "hello"))
		e.RawQueryString = query
		if got := s.read(s.invoke(t.Context(), e), 400); got.Code != "bad_partition_key" {
			t.Errorf("query %.60q: code = %q, want bad_partition_key", query, got.Code)
		}
	}
}

func TestHeaderNamesInAnyCase(t *testing.T) {
	t.Parallel()
	for _, change := range []func(string) string{strings.ToLower, strings.ToUpper, func(s string) string { return s }} {
		s := newService(t)
		e := event(t, post(t, gzipped("hello")))
		e.Headers = map[string]string{change("Authorization"): e.Headers["authorization"], change("Content-Encoding"): "gzip"}
		s.read(s.invoke(t.Context(), e), 202)
		if got := string(s.kept().Body); got != "hello" {
			t.Errorf("body = %q", got)
		}
	}
}

func TestMalformedEvents(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for _, e := range []string{"", "null", "[]", `"POST"`, "{", `{"headers":[]}`, `{"rawPath":7}`, `{"requestContext":"x"}`, `{"isBase64Encoded":"true"}`, `{"body":{}}`, `{} {}`, "\x00"} {
		if out, err := s.handler.Invoke(t.Context(), []byte(e)); err == nil {
			t.Errorf("Invoke(%q) = %q, want an error", e, out)
		}
	}
	// Missing fields are not an error: the request is answered.
	for _, e := range []string{
		"{}", `{"headers":null,"requestContext":null,"pathParameters":null,"body":null}`, `{"version":"1.0","httpMethod":"POST","path":"/archives/orders"}`,
		`{"rawPath":"/archives/orders"}`, `{"rawPath":"/health"}`, `{"rawPath":"/archives/orders","requestContext":{"http":{"method":"POST"}}}`, `{"Records":[{}]}`,
	} {
		if _, err := s.handler.Invoke(t.Context(), []byte(e)); err != nil {
			t.Errorf("Invoke(%q): %v", e, err)
		}
	}
	// A malformed body is detected only when the body is read.
	e := `{"rawPath":"/archives/orders","headers":{"authorization":"Basic ZGF0YXNpbms6aHVudGVyMg=="},"requestContext":{"http":{"method":"POST"}},"body":"\q"}`
	if out, err := s.handler.Invoke(t.Context(), []byte(e)); err == nil {
		t.Errorf("Invoke of a malformed body = %q, want an error", out)
	}
}
