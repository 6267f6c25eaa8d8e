package local_test

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/rig/apitest"
)

// Unused connections do not keep other clients out.
func TestPipelineEndsIdleConnectionsForCallersThatWait(t *testing.T) {
	t.Parallel()
	p := start(t, options(t))
	health := func(client *http.Client) error {
		response, err := client.Do(apitest.Request(t, "GET", p.url+"/health", "", nil))
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
	for range 600 { // opened ahead and never used
		c, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
	}
	began := time.Now()
	var wg sync.WaitGroup
	for range 600 {
		wg.Go(func() {
			// A transport each, so that no connection is used twice. None is
			// closed by its client.
			if err := health(&http.Client{Transport: &http.Transport{}}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := health(&http.Client{Transport: &http.Transport{}}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("callers waited %v behind unused connections", took)
	}
	if p.post(t, "orders", strings.Repeat("x", 10)) == "" {
		t.Error("no id")
	}
}
