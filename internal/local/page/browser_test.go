package page_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

var screenshots = flag.String("screenshots", "", "folder to write screenshots to; empty for none")

// chromium starts one browser for all tests.
var chromium = sync.OnceValues(func() (context.Context, error) {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		return nil, fmt.Errorf("no chromium in the PATH: install it, on Debian by `apt-get install chromium`")
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true), chromedp.WSURLReadTimeout(time.Minute),
	)
	ctx, stop := chromedp.NewContext(ctx)
	closeBrowser = func() { stop(); cancel() }
	if err := chromedp.Do(ctx); err != nil {
		return nil, fmt.Errorf("starting %s: %w", path, err)
	}
	return ctx, nil
})

var (
	profile      string // the browser's folder
	closeBrowser = func() {}
)

func TestMain(m *testing.M) {
	var err error
	if profile, err = os.MkdirTemp("", "chromium"); err != nil {
		panic(err)
	}
	code := m.Run()
	closeBrowser()
	_ = os.RemoveAll(profile) // a temporary folder
	os.Exit(code)
}

// tab is a window of the browser. It records the problems in its console.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu          sync.Mutex
	problems    []string
	failedLoads bool // are expected
}

// ignoresFailedLoads makes the tab expect that the server does not answer.
func (b *tab) ignoresFailedLoads() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failedLoads = true
}

// visit opens a page of a width and height.
func visit(t *testing.T, url string, width, height int64) *tab {
	t.Helper()
	browser, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	b := &tab{t: t}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithListener(b.listen))
	t.Cleanup(cancel)
	b.ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	b.run(chromedp.EmulateViewport(width, height), chromedp.Navigate(url))
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, p := range b.problems {
			t.Errorf("problem in the browser: %s", p)
		}
		if t.Failed() && *screenshots != "" {
			b.shoot("failed")
		}
	})
	return b
}

// listen records exceptions, failed loads and messages in the console.
func (b *tab) listen(event any) {
	switch fmt.Sprintf("%T", event) {
	case "*runtime.EventExceptionThrown", "*runtime.EventConsoleAPICalled", "*log.EventEntryAdded":
		text, _ := json.Marshal(event) // The type is recorded in any case.
		b.mu.Lock()
		defer b.mu.Unlock()
		// The browser asks for an icon of documents that are not HTML.
		if b.failedLoads && strings.Contains(string(text), "net::ERR_") || strings.Contains(string(text), "/favicon.ico") {
			return
		}
		b.problems = append(b.problems, fmt.Sprintf("%T %s", event, text))
	}
}

func (b *tab) run(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("the browser: %v", err)
	}
}

// eval returns the value of a JavaScript expression.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("the browser: %s: %v", expression, err)
	}
	return v
}

// text returns the text of an element.
func (b *tab) text(id string) string {
	b.t.Helper()
	return eval[string](b, fmt.Sprintf("document.getElementById(%q).textContent", id))
}

// until waits until an expression is true.
func (b *tab) until(what, expression string) {
	b.t.Helper()
	waitFor(b.t, what, func() bool { return eval[bool](b, expression) })
}

// focus gives an element the keyboard focus, in one step: the page may replace the
// element between two.
func (b *tab) focus(id string) {
	b.t.Helper()
	b.until("the focus", fmt.Sprintf("(document.getElementById(%q).focus(), document.activeElement.id === %[1]q)", id))
}

// click clicks on an element, and again if the page replaced the element meanwhile.
func (b *tab) click(selector string) {
	b.t.Helper()
	waitFor(b.t, "a click on "+selector, func() bool {
		err := chromedp.Do(b.ctx, chromedp.Click(chromedp.CSS(selector)))
		if err != nil && !strings.Contains(err.Error(), "node") {
			b.t.Fatalf("the browser: clicking on %s: %v", selector, err)
		}
		return err == nil
	})
}

// send fills the form in and sends it.
func (b *tab) send(stream, body string, times int) {
	b.t.Helper()
	b.run(
		chromedp.SetValue(chromedp.CSS("#send-stream"), stream), chromedp.SetValue(chromedp.CSS("#send-body"), body),
		chromedp.SetValue(chromedp.CSS("#send-times"), fmt.Sprint(times)),
	)
	before := b.text("sent")
	b.click("#send-button")
	waitFor(b.t, "the answer to a form", func() bool { now := b.text("sent"); return now != before && now != "" })
	if got := b.text("sent"); !strings.HasPrefix(got, stream+" accepted ") {
		b.t.Fatalf("sending says %q", got)
	}
}

// media sets media features, for example prefers-color-scheme.
func (b *tab) media(features ...map[string]string) {
	b.t.Helper()
	b.run(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		return target.Call(ctx, "Emulation.setEmulatedMedia", map[string]any{"features": features}, nil)
	}))
}

// shoot writes a screenshot of the window and one of the whole page.
func (b *tab) shoot(name string) {
	if *screenshots == "" {
		return
	}
	for suffix, action := range map[string]chromedp.Action[[]byte]{"": chromedp.CaptureScreenshot(), "-whole": chromedp.FullScreenshot(100)} {
		png, err := chromedp.Run(b.ctx, action)
		if err == nil {
			err = os.WriteFile(filepath.Join(*screenshots, name+suffix+".png"), png, 0o644)
		}
		if err != nil {
			b.t.Errorf("taking a screenshot: %v", err)
		}
	}
}
