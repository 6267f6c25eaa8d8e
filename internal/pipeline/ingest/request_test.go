package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/data-sink/data-sink/internal/pipeline/walk"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// This file is in package ingest because it tests unexported functions.

// wanted holds the fields of a request as plain values.
type wanted struct {
	Method, RouteKey, Path, Query, Stage, RequestID, Stream, Body string
	IsBase64                                                      bool
	Headers                                                       headers
}

// headers holds the values of the headers that ingest uses.
type headers struct {
	Authorization, ContentType, ContentEncoding, ContentLength, TransferEncoding, IdempotencyKey string
}

// field returns the field of a header, or nil.
func (h *headers) field(name string) *string {
	return map[string]*string{
		"authorization": &h.Authorization, "content-type": &h.ContentType, "content-encoding": &h.ContentEncoding, "content-length": &h.ContentLength,
		"transfer-encoding": &h.TransferEncoding, "idempotency-key": &h.IdempotencyKey,
	}[strings.ToLower(name)]
}

func parse(event []byte) (wanted, error) {
	r, err := parseRequest(event)
	if err != nil {
		return wanted{}, err
	}
	body := r.body
	if r.bodyAsIs {
		text, _, ok := walk.Unescape(body, 0)
		if !ok {
			return wanted{}, errors.New("malformed body")
		}
		body = text
	}
	return wanted{
		string(r.method), string(r.routeKey), string(r.path), string(r.query), string(r.stage), string(r.requestID), string(r.stream), string(body), r.isBase64,
		headers{string(r.authorization), string(r.contentType), string(r.contentEncoding), string(r.contentLength), string(r.transferEncoding), string(r.idempotency)},
	}, nil
}

// plainParse parses an event with encoding/json, for comparison with parseRequest.
func plainParse(event []byte) (w wanted, err error) {
	var whole json.RawMessage
	if err := json.Unmarshal(event, &whole); err != nil {
		return wanted{}, err
	}
	if string(whole) == "null" {
		return wanted{}, errors.New("null")
	}
	var broken error
	into := func(value json.RawMessage, target any) {
		if err := json.Unmarshal(value, target); err != nil {
			broken = err
		}
	}
	each := func(object json.RawMessage, member func(name string, value json.RawMessage)) {
		d := json.NewDecoder(bytes.NewReader(object))
		switch open, err := d.Token(); {
		case err != nil || open != nil && open != json.Delim('{'):
			broken = fmt.Errorf("%v is no object: %w", open, err)
		case open != nil:
			for d.More() {
				name, _ := d.Token()
				var value json.RawMessage
				if err := d.Decode(&value); err != nil {
					broken = err
					return
				}
				member(name.(string), value)
			}
		}
	}
	each(whole, func(name string, value json.RawMessage) {
		switch name {
		case "routeKey":
			into(value, &w.RouteKey)
		case "rawPath":
			into(value, &w.Path)
		case "rawQueryString":
			into(value, &w.Query)
		case "isBase64Encoded":
			into(value, &w.IsBase64)
		case "body":
			into(value, &w.Body)
		case "headers":
			each(value, func(name string, value json.RawMessage) {
				if field := w.Headers.field(name); field != nil {
					into(value, field)
				}
			})
		case "pathParameters":
			each(value, func(name string, value json.RawMessage) {
				if name == "stream" {
					into(value, &w.Stream)
				}
			})
		case "requestContext":
			each(value, func(name string, value json.RawMessage) {
				switch name {
				case "requestId":
					into(value, &w.RequestID)
				case "stage":
					into(value, &w.Stage)
				case "http":
					each(value, func(name string, value json.RawMessage) {
						if name == "method" {
							into(value, &w.Method)
						}
					})
				}
			})
		}
	})
	return w, broken
}

// seeds are malformed and unusual events.
var seeds = []string{
	`{}`, ` { } `, `{"rawPath":"/archives/orders","headers":null,"pathParameters":null,"requestContext":null,"body":null,"isBase64Encoded":null}`,
	`{"headers":{"AUTHORIZATION":"a","Content-Encoding":"gzip","x":null},"requestContext":{"http":{"method":"POST"},"requestId":"id","stage":"$default","authorizer":{"jwt":{"claims":{"a":"b"}}}}}`,
	`{"rawPath":"\u003c\/\ud83d\ude00\ud83d\n\u0000\"\\","body":"\u00e9é\ufffd"}`, `{"body":"\\\\\\\"","rawPath":"\\"}`, "{\"body\":\"\xff\xed\xa0\x80\"}",
	`{"rawPath":"a","rawPath":"b","rawPath":null,"headers":{"authorization":"1","Authorization":"2"},"headers":{"x":"y"}}`,
	`{"Body":"x","BODY":"y","unknown":[1,-2.5e+10,0,true,false,null,{"a":[[]]},""],"raw\u0050ath":"z"}`,
	`{"isBase64Encoded":true,"body":"aGVsbG8="}`,
	``, ` `, `null`, `[]`, `"a"`, `1`, `{`, `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`, `{"a" 1}`, `{a:1}`, `{}x`, `{}{}`, `{"a":1}}`,
	`{"a":tru}`, `{"a":nul}`, `{"a":01}`, `{"a":-}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`, `{"a":+1}`, `{"a":[1,]}`, `{"a":[}`, `{"a":[1}`, `{"a":'b'}`, `{"a":"\x"}`,
	`{"a":"\u12"}`, `{"a":"\u12g4"}`, "{\"a\":\"\n\"}", "{\"body\":\"\n\"}", `{"body":"\`, `{"body":"\"`, `{"body":"\q"}`, `{"body":"\u1"}`,
	`{"rawPath":1}`, `{"headers":[]}`, `{"headers":"a"}`, `{"headers":{"authorization":1}}`, `{"headers":{"authorization":["a"]}}`, `{"requestContext":{"http":"a"}}`,
	`{"requestContext":{"http":{"method":{}}}}`, `{"pathParameters":{"stream":7}}`, `{"isBase64Encoded":"true"}`, `{"isBase64Encoded":1}`, `{"body":{}}`, `{"body":7}`,
	"{\"\xff\":1,\"rawPath\":\"\xff\"}", `{"a":"` + "\x7f" + `"}`, "\xef\xbb\xbf{}", strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100),
}

func TestParseRequestIsEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, event := range append(seeds, strings.Repeat("[", 20_000), `{"a":`+strings.Repeat("[", 9_999)+strings.Repeat("]", 9_999)+`}`,
		`{"a":`+strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)+`}`) {
		compare(t, []byte(event))
	}
}

func compare(tb testing.TB, event []byte) {
	tb.Helper()
	got, err := parse(event)
	want, plainErr := plainParse(event)
	if (err == nil) != (plainErr == nil) {
		tb.Fatalf("parseRequest(%.200q): %v, encoding/json: %v", event, err, plainErr)
	}
	if err != nil {
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Fatalf("parseRequest(%.200q) differs from encoding/json (-want +got):\n%s", event, diff)
	}
}

func FuzzRequest(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, event []byte) { compare(t, event) })
}

// parseRequest reads the same values as the AWS event types.
func TestParseRequestOfAWSEvents(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune("\"\\/<>&\u2028\u2029\x00\x1f\x7f é😀a1")))).Draw
		name := func(of string) string {
			return rapid.SampledFrom([]string{of, strings.ToLower(of), strings.ToUpper(of)}).Draw(t, of)
		}
		e := events.APIGatewayV2HTTPRequest{
			Version: "2.0", RouteKey: text(t, "route"), RawPath: text(t, "path"), RawQueryString: text(t, "query"),
			Cookies:               rapid.SliceOf(rapid.String()).Draw(t, "cookies"),
			QueryStringParameters: rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "parameters"),
			Body:                  text(t, "body"), IsBase64Encoded: rapid.Bool().Draw(t, "base64"),
		}
		if rapid.Bool().Draw(t, "headers") {
			e.Headers = map[string]string{"x-other": text(t, "other")}
			for _, header := range []string{"Authorization", "Content-Type", "Content-Encoding", "Content-Length", "Transfer-Encoding", "Idempotency-Key"} {
				e.Headers[name(header)] = text(t, header)
			}
		}
		if rapid.Bool().Draw(t, "parameters") {
			e.PathParameters = map[string]string{"stream": text(t, "stream"), "streams": "x"}
		}
		e.RequestContext.RequestID, e.RequestContext.Stage = text(t, "id"), text(t, "stage")
		e.RequestContext.HTTP.Method, e.RequestContext.HTTP.Path = text(t, "method"), "other"
		e.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{Lambda: map[string]any{"requestId": []any{1.5, nil, true}}}
		event, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		want := wanted{
			Method: e.RequestContext.HTTP.Method, RouteKey: e.RouteKey, Path: e.RawPath, Query: e.RawQueryString, Stage: e.RequestContext.Stage,
			RequestID: e.RequestContext.RequestID, Stream: e.PathParameters["stream"], Body: e.Body, IsBase64: e.IsBase64Encoded,
		}
		for name, value := range e.Headers {
			if field := want.Headers.field(name); field != nil {
				*field = value
			}
		}
		got, err := parse(event)
		if err != nil {
			t.Fatalf("parseRequest(%q): %v", event, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("parseRequest(%q) differs (-want +got):\n%s", event, diff)
		}
	})
}

func TestErrorsHoldNothingOfTheEvent(t *testing.T) {
	t.Parallel()
	for _, event := range []string{`{"body":Zecret}`, `{"body":"Zecret`, `{"headers":{"authorization":"\Zecret"}}`, `{"rawPath":["Zecret"]}`} {
		if _, err := parseRequest([]byte(event)); err == nil || strings.Contains(err.Error(), "Zecret") {
			t.Errorf("parseRequest(%q) = %v, want an error without its text", event, err)
		}
	}
}

func TestAShortEventIsNotReadPastItsEnd(t *testing.T) {
	t.Parallel()
	whole, err := json.Marshal(events.APIGatewayV2HTTPRequest{RawPath: "/archives/orders", Body: "a\"b", Headers: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		if _, err := parse(whole[:i:i]); err == nil {
			t.Errorf("parseRequest of the first %d bytes: no error", i)
		}
	}
}

func BenchmarkParseRequest(b *testing.B) {
	for _, size := range []int{1 << 10, 1 << 20} {
		for _, kind := range []string{"base64", "text"} {
			event := benchEvent(b, kind, size)
			b.Run(fmt.Sprintf("%s/%d", kind, size), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(event)))
				for b.Loop() {
					r, err := parseRequest(event)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := io.Discard.Write(r.body); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
