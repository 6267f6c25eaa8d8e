package post_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/operate/post"
	"github.com/google/go-cmp/cmp"
)

// seen is a request that a server got.
type seen struct{ Path, Type, Key, Body string }

// recording answers like an API and records the requests.
func recording(t *testing.T, answer func(w http.ResponseWriter, r seen)) (*post.Client, *[]seen) {
	t.Helper()
	all := new([]seen)
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		s := seen{r.URL.Path, r.Header.Get("Content-Type"), r.Header.Get("Idempotency-Key"), string(body)}
		*all = append(*all, s)
		answer(w, s)
	}))
	return c, all
}

func TestABatchIsOneRequest(t *testing.T) {
	t.Parallel()
	c, all := recording(t, func(w http.ResponseWriter, _ seen) {
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, `{"id":"x","records":2}`)
	})
	receipt, err := c.Post(t.Context(), post.Body{Stream: "orders", Lines: 2, Key: "k", Bytes: []byte("one\ntwo\n")})
	if diff := cmp.Diff(post.Receipt{ID: "x", Records: 2}, receipt); err != nil || diff != "" {
		t.Errorf("Post: %v, receipt differs (-want +got):\n%s", err, diff)
	}
	want := []seen{{"/archives/orders/batch", "application/x-ndjson", "k", "one\ntwo\n"}}
	if diff := cmp.Diff(want, *all); diff != "" {
		t.Errorf("requests differ (-want +got):\n%s", diff)
	}
}

func TestATryHasTheKeyOfTheTryBefore(t *testing.T) {
	t.Parallel()
	tries := 0
	c, all := recording(t, func(w http.ResponseWriter, _ seen) {
		if tries++; tries < 3 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, `{"id":"x"}`)
	})
	for range 2 {
		if _, err := c.Post(t.Context(), post.Body{Stream: "orders", Bytes: []byte("b")}); err != nil {
			t.Fatal(err)
		}
	}
	keys := make([]string, 0, 4)
	for _, s := range *all {
		keys = append(keys, s.Key)
	}
	if len(keys) != 4 {
		t.Fatalf("%d requests, want three tries of the first call and one of the second", len(keys))
	}
	if first, second := keys[0], keys[3]; first == "" || second == first {
		t.Errorf("the calls have the keys %q and %q, want two different keys", first, second)
	}
	if keys[1] != keys[0] || keys[2] != keys[0] {
		t.Errorf("the tries of one call have the keys %q, want the same key", keys[:3])
	}
}

func TestABatchGoesLineByLineWhereThereAreNoBatches(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]struct {
		status int
		body   string
	}{
		"a gateway without the route": {404, `{"message":"Not Found"}`},
		"an old function":             {404, `{"code":"unknown_stream"}`},
		"a raw stream":                {400, `{"code":"not_a_lines_stream"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, all := recording(t, func(w http.ResponseWriter, s seen) {
				if strings.HasSuffix(s.Path, "/batch") {
					w.WriteHeader(refusal.status)
					fmt.Fprint(w, refusal.body)
					return
				}
				w.WriteHeader(http.StatusAccepted)
				fmt.Fprint(w, `{"id":"x"}`)
			})
			for _, key := range []string{"a", "b"} {
				receipt, err := c.Post(t.Context(), post.Body{Stream: "orders", Lines: 2, Key: key, Bytes: []byte("one\ntwo\n")})
				if err != nil || receipt.Records != 2 {
					t.Fatalf("Post = %+v, %v, want 2 records", receipt, err)
				}
			}
			const path, octets = "/archives/orders", "application/octet-stream"
			want := []seen{
				{path + "/batch", "application/x-ndjson", "a", "one\ntwo\n"},
				{path, octets, "a.0", "one"},
				{path, octets, "a.1", "two"},
				{path, octets, "b.0", "one"},
				{path, octets, "b.1", "two"},
			}
			if diff := cmp.Diff(want, *all); diff != "" {
				t.Errorf("requests differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLinesAreCountedUpToTheFirstRefusal(t *testing.T) {
	t.Parallel()
	c, _ := recording(t, func(w http.ResponseWriter, s seen) {
		switch {
		case strings.HasSuffix(s.Path, "/batch"):
			w.WriteHeader(http.StatusNotFound)
		case s.Body == "two":
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		default:
			w.WriteHeader(http.StatusAccepted)
			fmt.Fprint(w, `{"id":"x"}`)
		}
	})
	receipt, err := c.Post(t.Context(), post.Body{Stream: "orders", Lines: 3, Bytes: []byte("one\ntwo\nthree\n")})
	var refusal *post.Refusal
	if receipt.Records != 1 || !errors.As(err, &refusal) || refusal.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("Post = %+v, %v, want 1 record and the refusal of the second", receipt, err)
	}
}

func TestABatchIsNotAcceptedInPart(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{`{"id":"x"}`, `{"id":"x","records":1}`} {
		c, all := recording(t, func(w http.ResponseWriter, _ seen) {
			w.WriteHeader(http.StatusAccepted)
			fmt.Fprint(w, answer)
		})
		receipt, err := c.Post(t.Context(), post.Body{Stream: "orders", Lines: 2, Bytes: []byte("one\ntwo\n")})
		if err == nil || receipt.Records != 0 || len(*all) != 1 {
			t.Errorf("answer %s: Post = %+v, %v after %d requests, want an error after 1", answer, receipt, err, len(*all))
		}
	}
}
