package post_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/operate/post"
	"github.com/google/go-cmp/cmp"
)

// api is an HTTP API that keeps what it accepts.
type api struct {
	mu     sync.Mutex
	bodies []string
	// answer may refuse a request, by its number from 1 on.
	answer func(w http.ResponseWriter, n int) (refused bool)
	n      int
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n++
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if a.answer != nil && a.answer(w, a.n) {
		return
	}
	a.bodies = append(a.bodies, string(body))
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(w, `{"id":"id-%d"}`, a.n)
}

func serve(t *testing.T, a http.Handler) *post.Client {
	t.Helper()
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	return &post.Client{URL: server.URL, User: "u", Password: "p", BaseDelay: time.Millisecond, MaxDelay: 2 * time.Millisecond}
}

func TestPostSendsWhatTheAPIWants(t *testing.T) {
	t.Parallel()
	var seen *http.Request
	var got []byte
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r
		got, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"id":"x"}`)
	}))
	c.URL += "/"
	receipt, err := c.Post(t.Context(), post.Body{Stream: "orders", PartitionKey: "a&b ü", Bytes: []byte("body"), Gzip: true})
	if err != nil {
		t.Fatal(err)
	}
	if receipt != (post.Receipt{ID: "x", Records: 1}) {
		t.Errorf("Post = %+v, want id x without a retry", receipt)
	}
	user, password, _ := seen.BasicAuth()
	request := []string{
		seen.Method, seen.URL.Path, seen.URL.Query().Get("partition_key"), user, password,
		seen.Header.Get("Content-Type"), seen.Header.Get("Content-Encoding"),
	}
	if diff := cmp.Diff([]string{http.MethodPost, "/archives/orders", "a&b ü", "u", "p", "application/octet-stream", "gzip"}, request); diff != "" {
		t.Errorf("request differs (-want +got):\n%s", diff)
	}
	z, err := gzip.NewReader(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(z); err != nil || string(plain) != "body" {
		t.Errorf("the body unpacks to %q, %v", plain, err)
	}
}

func TestPostTriesAgainWhereThatMayHelp(t *testing.T) {
	t.Parallel()
	problem := func(status int, body string) func(http.ResponseWriter, int) bool {
		return func(w http.ResponseWriter, n int) bool {
			if n < 4 {
				w.WriteHeader(status)
				_, _ = io.WriteString(w, body)
			}
			return n < 4
		}
	}
	for _, tt := range []struct {
		name     string
		answer   func(http.ResponseWriter, int) bool
		attempts int
		refusal  string
	}{
		{"429", problem(429, `{"message":"Too Many Requests"}`), 4, ""},
		{"503", problem(503, `{"code":"unavailable"}`), 4, ""},
		{"408", problem(408, ""), 4, ""},
		{"a cut connection", func(_ http.ResponseWriter, n int) bool {
			if n < 4 {
				panic(http.ErrAbortHandler)
			}
			return false
		}, 4, ""},
		{"400", problem(400, `{"code":"empty_body","detail":"the body is empty"}`), 1, "posting to orders: 400 empty_body: the body is empty"},
		{"413 of API Gateway", problem(413, `{"message":"Request Too Long"}`), 1, "posting to orders: 413: Request Too Long"},
		{"403", problem(403, "no JSON"), 1, "posting to orders: 403"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := serve(t, &api{answer: tt.answer})
			receipt, err := c.Post(t.Context(), post.Body{Stream: "orders", Bytes: []byte("b")})
			if receipt.Retries != tt.attempts-1 {
				t.Errorf("took %d retries, want %d", receipt.Retries, tt.attempts-1)
			}
			var refusal *post.Refusal
			if tt.refusal == "" && err != nil || tt.refusal != "" && (!errors.As(err, &refusal) || err.Error() != tt.refusal) {
				t.Errorf("Post: %v, want %q", err, tt.refusal)
			}
		})
	}
}

func TestPostGivesUpAfterItsAttempts(t *testing.T) {
	t.Parallel()
	a := &api{answer: func(w http.ResponseWriter, _ int) bool { w.WriteHeader(503); return true }}
	c := serve(t, a)
	c.MaxAttempts = 3
	var refusal *post.Refusal
	if _, err := c.Post(t.Context(), post.Body{Stream: "orders"}); !errors.As(err, &refusal) || refusal.Status != 503 || a.n != 3 {
		t.Errorf("Post = %v after %d requests, want 503 after 3", err, a.n)
	}
}

func TestPostWaitsAsLongAsTheAPIAsks(t *testing.T) {
	t.Parallel()
	a := &api{answer: func(w http.ResponseWriter, n int) bool {
		if n == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(503)
		}
		return n == 1
	}}
	began := time.Now()
	if _, err := serve(t, a).Post(t.Context(), post.Body{Stream: "orders", Bytes: []byte("b")}); err != nil || time.Since(began) < time.Second {
		t.Errorf("Post = %v after %v, want success after a second", err, time.Since(began))
	}
}

func TestPostRefusesAnAnswerThatIsNotTheAPIs(t *testing.T) {
	t.Parallel()
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }))
	c.MaxAttempts = 2
	if _, err := c.Post(t.Context(), post.Body{Stream: "orders"}); err == nil || !strings.Contains(err.Error(), "is not the API") {
		t.Errorf("Post = %v", err)
	}
}

func TestNamesUnderLocalhostAreThisMachine(t *testing.T) {
	t.Parallel()
	c := serve(t, new(api))
	c.URL = strings.Replace(c.URL, "127.0.0.1", "abc.execute-api.localhost", 1)
	if _, err := c.Post(t.Context(), post.Body{Stream: "orders", Bytes: []byte("b")}); err != nil {
		t.Error(err)
	}
}

// numbered is a sequence of bodies "0", "1", …
func numbered(n int) iter.Seq2[post.Body, error] {
	return func(yield func(post.Body, error) bool) {
		for i := range n {
			if !yield(post.Body{Stream: "orders", Bytes: []byte(fmt.Sprint(i))}, nil) {
				return
			}
		}
	}
}

func TestAllPostsEveryBodyOnce(t *testing.T) {
	t.Parallel()
	a := &api{answer: func(w http.ResponseWriter, n int) bool {
		if n%5 == 0 {
			w.WriteHeader(503)
		}
		return n%5 == 0
	}}
	var outcomes []int
	err := serve(t, a).All(t.Context(), numbered(200), 8, func(o post.Outcome) {
		if o.Err != nil || string(o.Body.Bytes) != fmt.Sprint(o.Index) {
			t.Errorf("outcome %d: %q, %v", o.Index, o.Body.Bytes, o.Err)
		}
		outcomes = append(outcomes, o.Index)
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(outcomes)
	var want []int
	for i := range 200 {
		want = append(want, i)
	}
	if diff := cmp.Diff(want, outcomes); diff != "" {
		t.Errorf("outcomes differ (-want +got):\n%s", diff)
	}
	if len(a.bodies) != 200 {
		t.Errorf("the API has %d bodies, want 200", len(a.bodies))
	}
}

func TestAllStopsAtWhatConcernsAllBodies(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, tt := range []struct {
		name   string
		status int
		source error
		stops  bool
	}{
		{"wrong credentials", 401, nil, true},
		{"no such stream", 404, nil, true},
		{"one bad body", 400, nil, false},
		{"a broken source", 0, broken, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := &api{answer: func(w http.ResponseWriter, n int) bool {
				if n != 3 || tt.status == 0 {
					return false
				}
				w.WriteHeader(tt.status)
				return true
			}}
			bodies := func(yield func(post.Body, error) bool) {
				for i, b := range numberedSlice(1000) {
					if i == 3 && tt.source != nil {
						yield(post.Body{}, tt.source)
						return
					}
					if !yield(b, nil) {
						return
					}
				}
			}
			done, failed := 0, 0
			err := serve(t, a).All(t.Context(), bodies, 2, func(o post.Outcome) {
				done++
				if o.Err != nil {
					failed++
				}
			})
			if (err != nil) != tt.stops || tt.stops != (done < 1000) {
				t.Errorf("All = %v after %d bodies, want an error %v", err, done, tt.stops)
			}
			if tt.source != nil && !errors.Is(err, tt.source) || tt.status != 0 && failed != 1 {
				t.Errorf("All = %v with %d failures", err, failed)
			}
		})
	}
}

func numberedSlice(n int) []post.Body {
	var all []post.Body
	for b := range numbered(n) {
		all = append(all, b)
	}
	return all
}

func TestAllFinishesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var accepted atomic.Int64
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		time.Sleep(50 * time.Millisecond)
		accepted.Add(1)
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"id":"x"}`)
	}))
	var done int64
	err := c.All(ctx, numbered(100), 4, func(o post.Outcome) {
		if o.Err != nil {
			t.Errorf("body %d: %v", o.Index, o.Err)
		}
		done++
	})
	if !errors.Is(err, context.Canceled) || done != accepted.Load() || done > 8 {
		t.Errorf("All = %v with %d done, the API accepted %d", err, done, accepted.Load())
	}
}
