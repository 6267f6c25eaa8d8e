package local_test

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/data-sink/data-sink/internal/rig/apitest"
	"github.com/data-sink/data-sink/internal/rig/s3test"
)

var full = flag.Bool("full", false, "post bodies of up to 900 kB throughout, about 400 MB in all")

// size returns a size from 1 byte to 900 kB. Without -full most are small.
func size(r *rand.Rand, i int) int {
	most := 900_000
	switch {
	case i%50 == 0:
		return 1
	case i%500 == 1:
		return most
	case *full && i%2 == 0:
		return 1 + r.IntN(most)
	case !*full && i%25 > 0:
		most = 50_000
	}
	return int(math.Exp(r.Float64() * math.Log(float64(most)))) // Each magnitude as often.
}

// randomBody is binary, or text with many lines.
func randomBody(r *rand.Rand, size int) []byte {
	body := make([]byte, size)
	if r.IntN(2) == 0 {
		for i := range body {
			body[i] = byte(r.Uint32())
		}
		return body
	}
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789 ,:{}\n"
	for i := range body {
		body[i] = letters[r.IntN(len(letters))]
	}
	return body
}

// clientRequest returns a request as some client sends it, and the body that the
// archive must hold.
func clientRequest(tb testing.TB, r *rand.Rand, base, name string, raw bool, body []byte) (*http.Request, []byte) {
	tb.Helper()
	target := base + "/archives/" + name
	if r.IntN(2) == 0 {
		target += "?partition_key=" + url.QueryEscape(fmt.Sprint("k ", r.IntN(50)))
	}
	encoding, sent, kept := "", body, body
	if r.IntN(2) == 0 { // As the original clients send it.
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		line := append(bytes.Clone(body), '\n')
		if _, err := z.Write(line); err != nil {
			tb.Fatal(err)
		}
		if err := z.Close(); err != nil {
			tb.Fatal(err)
		}
		encoding, sent, kept = "application/gzip", packed.Bytes(), line
		if raw {
			kept = sent
		}
	}
	request := apitest.Request(tb, "POST", target, "application/octet-stream", bytes.NewReader(sent))
	if encoding != "" {
		request.Header.Set("Content-Encoding", encoding)
	}
	request.SetBasicAuth("datasink", "secret")
	return request, kept
}

// TestTwoThousandCallersAtOnce posts random bodies over all streams: each must be
// in the archive once, byte for byte.
func TestTwoThousandCallersAtOnce(t *testing.T) {
	const callers = 2000
	o := options(t)
	p := start(t, o)
	l := newTally(o.Streams)
	names := o.Streams.Names()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	var ready, done sync.WaitGroup
	ready.Add(callers)
	for i := range callers {
		done.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			name := names[i%len(names)]
			request, kept := clientRequest(t, r, p.url, name, name == "legacy-archives", randomBody(r, size(r, i/len(names))))
			e := l.sending(name, kept)
			ready.Done()
			ready.Wait() // All at once.
			response, err := client.Do(request)
			if err != nil {
				t.Error(err)
				return
			}
			if err := response.Body.Close(); err != nil || response.StatusCode != 202 {
				t.Errorf("status %d, %v", response.StatusCode, err)
				return
			}
			l.acked(e)
		})
	}
	done.Wait()
	p.stop(t)
	l.find(t, p.root)
	if acked, twice := l.totals(t); acked != callers || twice != 0 {
		t.Errorf("%d acknowledged, %d archived twice, want %d and 0", acked, twice, callers)
	}
	for key := range s3test.Objects(t, p.root) {
		if strings.Contains(key, "fallback-") || strings.Contains(key, "overflow-") {
			t.Errorf("%s: a direct record without a fault", key)
		}
	}
}
