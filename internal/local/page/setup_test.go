package page_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/local/page"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

var quiet = slog.New(slog.DiscardHandler)

// start runs a quick pipeline with its page and returns its URL.
func start(t *testing.T, change func(*local.Options)) string {
	t.Helper()
	p, stop := startPipeline(t, change)
	stopAtEnd(t, stop)
	return homeOf(p)
}

func stopAtEnd(t *testing.T, stop func() error) {
	t.Cleanup(func() {
		if err := stop(); err != nil && !strings.Contains(err.Error(), "context canceled") {
			t.Errorf("Stop: %v", err)
		}
	})
}

// startUntil is like start, but the caller stops the pipeline.
func startUntil(t *testing.T, change func(*local.Options)) (home string, stop func() error) {
	t.Helper()
	p, stop := startPipeline(t, change)
	return homeOf(p), stop
}

func homeOf(p *local.Pipeline) string { return "http://" + p.Addr().String() + "/" }

// startPipeline runs a quick pipeline with its page. stop does not wait until the
// pipeline is empty. The page's seam of the drainer's queue wraps the one that change
// sets. Of the other seams, change sets that of Firehose only.
func startPipeline(t *testing.T, change func(*local.Options)) (p *local.Pipeline, stop func() error) {
	t.Helper()
	streams, err := stream.Load("../../../streams.json")
	if err != nil {
		t.Fatal(err)
	}
	o := local.Options{
		Streams: streams, Data: t.TempDir(), Addr: "127.0.0.1:0", User: "datasink", Password: "secret",
		Flush: 200 * time.Millisecond, WakeInterval: 20 * time.Millisecond, Window: 5 * time.Millisecond, Log: quiet,
	}
	if change != nil {
		change(&o)
	}
	under, firehose := o.Seams.DrainerQueue, o.Seams.Firehose
	live := page.New(page.Options{Data: o.Data, User: o.User, Password: o.Password, Log: quiet})
	o.Seams, o.Observe = live.Seams(), live.Observers()
	o.Seams.Firehose = firehose
	if under != nil {
		watch := o.Seams.DrainerQueue
		o.Seams.DrainerQueue = func(q local.Queue) local.Queue { return watch(under(q)) }
	}
	p, err = local.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		live.Run(ctx)
	}()
	return p, func() error {
		live.Heal()
		cancel()
		<-done
		return p.Stop(ctx)
	}
}

// do makes a request without following redirects.
func do(t *testing.T, method, target string, form url.Values, header map[string]string) (int, http.Header, string) {
	t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(t.Context(), method, target, body)
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range header {
		r.Header.Set(name, value)
		if name == "Host" {
			r.Host = value
		}
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(answer)
}

// waitFor waits until ok returns true.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !ok(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}
