package ingest_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

// refused sends an event. It fails the test unless the event is refused and nothing
// is kept.
func (s *service) refused(e events.APIGatewayV2HTTPRequest, status int, code string) {
	s.tb.Helper()
	if got := s.read(s.invoke(s.tb.Context(), e), status); got.Code != code {
		s.tb.Errorf("code = %q, want %q", got.Code, code)
	}
	if len(s.queue.records)+len(s.archive.puts) != 0 {
		s.tb.Error("a record was kept")
	}
}

// The body is the event's body. A Content-Length is compared with it only if the
// body is text and the header is one number.
func TestContentLengthsThatLie(t *testing.T) {
	t.Parallel()
	for _, length := range []string{"0", "1", "4", "6", "4194305", "-1", "+4", "99999999999999999999", "5, 5", "5,6", "0x4", "0_4", "", "five", "4\x00", " 4"} {
		for _, tt := range []struct {
			contentType, transferEncoding string
		}{{"application/octet-stream", ""}, {"text/plain", "chunked"}, {"text/plain", ""}} {
			s := newService(t)
			e := event(t, post(t, "hello", with("Content-Type", tt.contentType)))
			e.Headers["content-length"] = length
			if tt.transferEncoding != "" {
				e.Headers["transfer-encoding"] = tt.transferEncoding
			}
			if digits := strings.Trim(length, "0123456789") == "" && length != "" && len(length) < 19; digits && tt.contentType == "text/plain" && tt.transferEncoding == "" {
				s.refused(e, 400, "bad_encoding")
				continue
			}
			s.read(s.invoke(t.Context(), e), 202)
			if got := string(s.kept().Body); got != "hello" {
				t.Errorf("Content-Length %q: body = %q", length, got)
			}
		}
	}
	s := newService(t, small)
	e := event(t, post(t, strings.Repeat("b", 101)))
	e.Headers["content-length"] = "5"
	s.refused(e, 413, "body_too_large")
}

func TestBase64InAnotherAlphabet(t *testing.T) {
	t.Parallel()
	body := []byte("\xfb\xff\xfe\x3e\x3f\xfb") // "+/" in one alphabet, "-_" in the other
	std := base64.StdEncoding.EncodeToString(body)
	for _, b := range []string{
		base64.URLEncoding.EncodeToString(body), base64.RawStdEncoding.EncodeToString(body[:5]), std[:4] + " " + std[4:], std[:4] + "\r\n" + std[4:], std + "\n", "\n" + std, std[:3] + "\t" + std[4:],
		std + "====", "data:;base64," + std, std[:4] + "\x00" + std[5:], "＋" + std[1:], std[:6] + "==" + std, strings.Repeat("\n", 1<<20), "\ufeff" + std,
	} {
		for _, path := range []string{"/archives/orders", "/archives/legacy"} {
			s := newService(t)
			e := event(t, post(t, "", at(path)))
			e.Body, e.IsBase64Encoded = b, true
			s.refused(e, 400, "bad_encoding")
		}
	}
}

func TestContentEncodingsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{
		"gzip, gzip", "gzip,gzip", "gzip,zstd", "gzip,identity,br", "gzip;q=1", `"gzip"`, "gzip gzip", "gzip\x00", "\x00", "gzip\n", "gzíp", "ｇｚｉｐ",
		"gzİp", "gzıp", "ıdentity", "ẓstd", "zſtd", "x-zstd", "application/zstd", "application/x-gzip", "deflate", "br", "compress", "aws-chunked", "*", "none", "null", "\xff", "\ufeffgzip",
		strings.Repeat("gzip,", 1000) + "gzip", strings.Repeat("g", 1<<20),
	} {
		s := newService(t)
		e := event(t, post(t, gzipped("hello")))
		e.Headers["content-encoding"] = encoding
		s.refused(e, 415, "unsupported_encoding")
	}
}

// The header is a list, in which empty elements and identity have no meaning. API
// Gateway joins two headers.
func TestContentEncodingIsAList(t *testing.T) {
	t.Parallel()
	for encoding, body := range map[string]string{
		"": "hello", " ": "hello", "\t": "hello", " \t ": "hello", " Identity\t": "hello", ",": "hello", "identity,identity": "hello", "identity, Identity": "hello",
		"gzip,": gzipped("hello"), ",gzip": gzipped("hello"), "gzip,identity": gzipped("hello"), "identity, gzip": gzipped("hello"),
	} {
		s := newService(t)
		e := event(t, post(t, body))
		e.Headers["content-encoding"] = encoding
		s.read(s.invoke(t.Context(), e), 202)
		if got := string(s.kept().Body); got != "hello" {
			t.Errorf("Content-Encoding %q: body = %q", encoding, got)
		}
	}
}

func TestZstdThatHoldsNothing(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"\x50\x2a\x4d\x18\x00\x00\x00\x00", strings.Repeat("\x5f\x2a\x4d\x18\x02\x00\x00\x00ab", 1000), zstandard("") + zstandard("")} {
		s := newService(t)
		s.refused(event(t, post(t, body, with("Content-Encoding", "zstd"))), 400, "empty_body")
	}
}

func TestAuthorizationThatIsHostile(t *testing.T) {
	t.Parallel()
	good := post(t, "").Header.Get("Authorization")
	encode := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, authorization := range []string{
		good + "," + good, good + ", " + good, encode("nobody:x") + "," + good, good + "," + encode("nobody:x"), "," + good, good + ",", good + "\x00", "\x00" + good, good + "\r\nX-Other: 1",
		encode("datasink\x00:hunter2"), encode("datasink:hunter2\x00"), encode("datasink"), encode(""), encode("\xff\xfe:\xff"), "Basic \xff\xfe", "Basic", " ", strings.Repeat("A", 1<<20),
		"Basic " + strings.Repeat("QUFB", 1<<18), encode(strings.Repeat("a", 100) + ":" + strings.Repeat("b", 100_000)), "Bearer " + good[6:], "Digest username=\"datasink\"",
	} {
		s := newService(t)
		e := event(t, post(t, "hello"))
		e.Headers["authorization"] = authorization
		s.refused(e, 401, "unauthorized")
		if s.logs.Len() > 500 {
			t.Errorf("Authorization %.40q: logged %d bytes", authorization, s.logs.Len())
		}
		for _, line := range s.lines() {
			if name, _ := line["client"].(string); strings.ContainsAny(name, "\x00\r\n\x1b") {
				t.Errorf("Authorization %.40q: logged %v", authorization, line)
			}
		}
	}
	// As two headers of a request come: joined.
	s := newService(t)
	s.refused(event(t, post(t, "hello", func(r *http.Request) { r.Header.Add("Authorization", good) })), 401, "unauthorized")
}

// A hostile event can contain a header twice, in two spellings. The last one is
// used, as in encoding/json.
func TestHeadersGivenTwice(t *testing.T) {
	t.Parallel()
	good := post(t, "").Header.Get("Authorization")
	for _, tt := range []struct {
		headers string
		status  int
	}{
		{`"authorization":"` + good + `","Authorization":"Basic eDp5"`, 401},
		{`"Authorization":"Basic eDp5","authorization":"` + good + `"`, 202},
		{`"authorization":"` + good[:10] + `","authorization":"` + good[10:] + `"`, 401},
		{`"authorization":"` + good + `","authorization":""`, 401},
		{`"x-authorization":"` + good + `","authorization ":"` + good + `","proxy-authorization":"` + good + `"`, 401},
		{`"аuthorization":"` + good + `","authorizatıon":"` + good + `","authorization\u0000":"` + good + `"`, 401},
	} {
		s := newService(t)
		out, err := s.handler.Invoke(t.Context(), []byte(`{"rawPath":"/archives/orders","headers":{`+tt.headers+`},"requestContext":{"http":{"method":"POST"}},"body":"hello"}`))
		if err != nil {
			t.Fatal(err)
		}
		var got events.APIGatewayV2HTTPResponse
		if err := json.Unmarshal(out, &got); err != nil || got.StatusCode != tt.status {
			t.Errorf("headers %s: status = %d, %v, want %d", tt.headers, got.StatusCode, err, tt.status)
		}
	}
}

func TestStreamNamesThatAreHostile(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"failed", "aws", "%66ailed", "failed/drainer/orders", "..%2ffailed", "orders%3Fpartition_key=x", "orders?x", "orders%23x", "orders#", "orders;x", "orders%253F", "%2e%2e", "%2E%2E%2Forders",
		"%252e%252e%252forders", ".", "%2e", "./orders", "orders/.", "orders/..", "orders%5c..", "orders%00.gz", "%00", "%", "%%", "%u006frders", "%c0%ae%c0%ae", "%ef%bd%8frders", "%d0%berders",
		"{orders}", "{", "}", "{}", "orders}:{gone", "orders}:claims", "%7Borders%7D", "datasink:{orders}:queue", "orders*", "*", "?rders", "[o]rders", "orders\r\nSET x y\r\n", "orders%0d%0aSET%20x",
		"ORDERS", "oRders", "ſtrict", "\u212a", "or\u00adders", "\u202eorders", "orders\u0301", "orders\ufe0f", "orders,legacy", "orders legacy", "orders%20", "%20orders", "orders+", "null", "undefined", "$default", "-",
		"orders%F0%9F", "\xff", "\xed\xa0\x80", strings.Repeat("a", 41), strings.Repeat("orders", 1667), strings.Repeat("%6f", 10_000), strings.Repeat("../", 3334), strings.Repeat("{", 10_000), strings.Repeat("\x00", 10_000),
	} {
		for _, by := range []func(string) func(*events.APIGatewayV2HTTPRequest){parameter, func(n string) func(*events.APIGatewayV2HTTPRequest) { return path("/archives/" + n) }} {
			s := newService(t)
			e := event(t, post(t, "hello"))
			by(name)(&e)
			s.refused(e, 404, "unknown_stream")
			// Nor does a name that matches a grant's pattern become a stream.
			s = newService(t)
			e = event(t, post(t, "hello", as("checkout", "pass:word")))
			by("check" + name)(&e)
			response := s.invoke(t.Context(), e)
			if got := s.read(response, response.StatusCode); got.Code != "unknown_stream" && got.Code != "forbidden" {
				t.Errorf("name %.60q within a pattern: code = %q", "check"+name, got.Code)
			}
			if strings.Contains(s.logs.String(), "SET x") || s.logs.Len() > 2000 {
				t.Errorf("name %.60q: logged %.300s", name, s.logs.String())
			}
		}
	}
}

func TestPartitionKeysThatAreHostile(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"partition_key=%2541":                                  "%41", // decoded once
		"partition_key=%u0041":                                 "%u0041",
		"partition_key=%":                                      "%",
		"partition_key=%4":                                     "%4",
		"partition_key=%00":                                    "\x00",
		"partition_key=a%0d%0aSET%20x%20y":                     "a\r\nSET x y",
		"partition_key=%7Borders%7D:queue":                     "{orders}:queue",
		"partition_key=%E2%80%AE%EF%BB%BF":                     "\u202e\ufeff",
		"partition_key=%C2%80":                                 "\u0080",
		"partition_key=" + strings.Repeat("%F0%9F%98%80", 256): strings.Repeat("😀", 256), // 1,024 bytes
		strings.Repeat("x=y&", 10_000) + "partition_key=a":     "a",
	} {
		s := newService(t)
		e := event(t, post(t, "hello"))
		e.RawQueryString = query
		s.read(s.invoke(t.Context(), e), 202)
		got := s.kept()
		if got.PartitionKey != want || got.Stream != "orders" {
			t.Errorf("query %.60q: kept %q of %q, want %q", query, got.PartitionKey, got.Stream, want)
		}
	}
	for _, key := range []string{
		strings.Repeat("%F0%9F%98%80", 257), strings.Repeat("é", 257), strings.Repeat("%00", 257), "%C0%80", "%ED%A0%80%ED%B0%80", "%F4%90%80%80", "%E2%82", "%80", "a%FE",
	} {
		s := newService(t)
		e := event(t, post(t, "hello"))
		e.RawQueryString = "partition_key=" + key
		s.refused(e, 400, "bad_partition_key")
	}
}
