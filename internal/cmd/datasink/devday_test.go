package main_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

var passwordForm = regexp.MustCompile(`client +(\S+), password (\S+)`)

// postAs returns the status of a post.
func postAs(t *testing.T, d *dev, stream, user, password string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url+"/archives/"+stream, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(user, password)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

// The password stays the same across restarts until --password changes it, and the
// other verbs edit the clients of a running pipeline.
func TestDevKeepsItsClients(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	run := func(args ...string) (d *dev, user, password string) {
		d = start(t, data, append([]string{"--password="}, args...)...)
		found := passwordForm.FindStringSubmatch(d.out.String())
		if found == nil {
			t.Fatalf("no password in %q", d.out.String())
		}
		return d, found[1], found[2]
	}
	end := func(d *dev) {
		d.signal(t, syscall.SIGTERM)
		if code := d.exit(t); code != 0 {
			t.Errorf("exit code %d, want 0", code)
		}
	}
	d, _, first := run()
	if r := d.operate(t, "", "credentials", "add", "shop", "--streams=orders"); r.code != 0 {
		t.Fatalf("credentials add: exit code %d: %s", r.code, r.err)
	}
	end(d)
	if info, err := os.Stat(filepath.Join(data, "clients.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("clients.json: %v, %v, want mode 0600", info, err)
	}
	d, user, second := run()
	if user != "datasink" || second != first {
		t.Errorf("after a restart the client is %s with %s, want datasink with %s", user, second, first)
	}
	if got := postAs(t, d, "orders", user, second); got != http.StatusAccepted {
		t.Errorf("POST = %d, want 202", got)
	}
	if r := d.operate(t, "", "credentials", "ls"); !strings.Contains(r.out, "shop") {
		t.Errorf("credentials ls: %s%s, want shop", r.out, r.err)
	}
	end(d)
	d, _, third := run("--password=changed")
	if third != "changed" {
		t.Errorf("password %s, want the one of the flag", third)
	}
	end(d)
	if _, _, fourth := run(); fourth != "changed" {
		t.Errorf("password %s after a restart, want the one of the flag before", fourth)
	}
}

// The pipeline uses a changed streams.json. A file with problems changes nothing.
func TestDevReloadsItsStreams(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "streams.json")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"streams":[{"name":"orders"}]}`)
	d := start(t, t.TempDir(), "--streams="+path)
	if got := postAs(t, d, "fresh", "datasink", "secret"); got != http.StatusNotFound {
		t.Errorf("POST to a stream that does not exist = %d, want 404", got)
	}
	write(`{"streams":[{"name":"orders"},{"name":"fresh","shards":0.5}]}`)
	waitFor(t, "the problem", func() bool { return strings.Contains(d.err.String(), "the streams stay as they are") })
	if got := postAs(t, d, "orders", "datasink", "secret"); got != http.StatusAccepted {
		t.Errorf("POST after a problem = %d, want 202", got)
	}
	write(`{"streams":[{"name":"orders"},{"name":"fresh"}]}`)
	waitFor(t, "the new stream", func() bool { return postAs(t, d, "fresh", "datasink", "secret") == http.StatusAccepted })
	waitFor(t, "the record of the new stream on the page", func() bool {
		row := regexp.MustCompile(`(?s)<tr id="row-fresh".*?</tr>`).FindString(d.page(t, http.MethodGet, "/", ""))
		return strings.Contains(row, "<td>1</td>")
	})
	if want := "the streams are fresh, orders"; !strings.Contains(d.err.String(), want) {
		t.Errorf("it wrote %q, want %q in it", d.err.String(), want)
	}
}

// With --page-addr the page has an address of its own, and the API is elsewhere.
func TestDevServesThePageAtItsAddress(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir(), "--addr=0.0.0.0:0", "--page-addr=127.0.0.1:0")
	page := regexp.MustCompile(`live page (http://127\.0\.0\.1:\d+)/`).FindStringSubmatch(d.out.String())
	if page == nil {
		t.Fatalf("no page in %q", d.out.String())
	}
	for url, want := range map[string]int{page[1] + "/": http.StatusOK, d.url + "/": http.StatusNotFound} {
		r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close() // Only the status is of interest.
		if response.StatusCode != want {
			t.Errorf("GET %s = %d, want %d", url, response.StatusCode, want)
		}
	}
}
