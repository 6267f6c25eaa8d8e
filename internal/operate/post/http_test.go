package post_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/operate/post"
)

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://sink.example":                            "",
		"https://sink.example/stage/":                     "",
		"http://127.0.0.1:8080":                           "",
		"http://[::1]:8080":                               "",
		"http://localhost":                                "",
		"http://abc.execute-api.localhost:4566":           "",
		"":                                                "want https://HOST",
		"sink.example":                                    "want https://HOST",
		"127.0.0.1:8080":                                  "want https://HOST",
		"ftp://sink.example":                              "want https://HOST",
		"https://":                                        "want https://HOST",
		"https://u:p@sink.example":                        "credentials",
		"https://sink.example/archives/orders":            "without /archives",
		"https://sink.example?stream=orders":              "without a query",
		"http://sink.example":                             "plain HTTP",
		"http://10.0.0.1:8080":                            "plain HTTP",
		"http://localhost.sink.example":                   "plain HTTP",
		"http://127.0.0.1.sink.example":                   "plain HTTP",
		"http://sink.example:8080/#http://127.0.0.1:8080": "without /archives",
	} {
		err := post.CheckURL(address)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("CheckURL(%q) = %v, want %q", address, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "u:p@") {
			t.Errorf("CheckURL(%q) repeats the credentials: %v", address, err)
		}
	}
	c := &post.Client{URL: "http://sink.example", User: "u", Password: "p"}
	if _, err := c.Post(t.Context(), post.Body{Stream: "orders"}); err == nil || !strings.Contains(err.Error(), "plain HTTP") {
		t.Errorf("Post over plain HTTP = %v", err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	followed := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed++ }))
	t.Cleanup(other.Close)
	requests := 0
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		w.Header().Set("Location", other.URL)
		w.WriteHeader(http.StatusTemporaryRedirect)
	}))
	_, err := c.Post(t.Context(), post.Body{Stream: "orders", Bytes: []byte("body")})
	var refusal *post.Refusal
	if !errors.As(err, &refusal) || refusal.Status != http.StatusTemporaryRedirect || !refusal.OfAll() {
		t.Errorf("Post = %v, want the redirect as a refusal of all bodies", err)
	}
	if followed != 0 || requests != 1 {
		t.Errorf("%d requests, %d of them to the other host, want 1 and 0", requests, followed)
	}
}

func TestLocalRequestsUseNoProxy(t *testing.T) {
	proxied := 0
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { proxied++ }))
	t.Cleanup(proxy.Close)
	t.Setenv("HTTP_PROXY", proxy.URL)
	c := serve(t, new(api))
	c.HTTP = post.NewHTTP(1)
	c.URL = strings.Replace(c.URL, "127.0.0.1", "sink.localhost", 1)
	if _, err := c.Post(t.Context(), post.Body{Stream: "orders", Bytes: []byte("b")}); err != nil || proxied != 0 {
		t.Errorf("Post = %v, %d requests went to the proxy", err, proxied)
	}
}
