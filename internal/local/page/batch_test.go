package page_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/ingest"
)

// The form sends a body of several lines as a batch, and the page counts its lines,
// also those of a batch that became one direct record.
func TestPageSendsBatches(t *testing.T) {
	t.Parallel()
	home := start(t, nil)
	send := func(stream, body, times, want string) {
		t.Helper()
		do(t, "POST", home+"page/send", url.Values{"stream": {stream}, "body": {body}, "times": {times}}, nil)
		if _, _, html := do(t, "GET", home+"?stream="+stream, nil, nil); !strings.Contains(html, want) {
			t.Errorf("after sending %q to %s, the page lacks %q", body, stream, want)
		}
	}
	send("orders", "one\r\ntwo\r\n\r\nthree\r\n", "1", "orders accepted a batch of 3 records, the first is ")
	send("orders", "one\ntwo", "2", "orders accepted 4 records in 2 batches, the first of the last batch is ")
	send("orders", "one\n", "1", "orders accepted the record ")
	send("legacy-archives", "one\ntwo", "1", "legacy-archives accepted the record ")
	if got := ledgerOf(t, home, "Accepted"); got != "9" {
		t.Errorf("accepted %s records, want 9", got)
	}
	do(t, "POST", home+"page/fault", url.Values{"fault": {"redis"}, "state": {"on"}}, nil)
	send("orders", "one\ntwo\nthree\nfour", "1", "orders accepted a batch of 4 records, the first is ")
	send("orders", strings.Repeat("x\n", 10_001), "2", "Not sent: orders answered 413: ")
	if got := ledgerOf(t, home, "Accepted"); got != "13" {
		t.Errorf("accepted %s records with those of a direct record, want 13", got)
	}
	do(t, "POST", home+"page/fault", url.Values{"fault": {"redis"}, "state": {"off"}}, nil)
	waitFor(t, "all records in the archive", func() bool { return ledgerOf(t, home, `\+ In the archive`) == "13" })
}

// The page links the OpenAPI document, which is served like the rest of the page.
func TestPageLinksTheOpenAPIDocument(t *testing.T) {
	t.Parallel()
	home := start(t, nil)
	_, _, html := do(t, "GET", home, nil, nil)
	_, rest, _ := strings.Cut(html, `<a id="openapi" href="/`)
	path, _, _ := strings.Cut(rest, `"`)
	status, header, document := do(t, "GET", home+path, nil, nil)
	if status != http.StatusOK || document != string(ingest.OpenAPI) {
		t.Errorf("GET /%s = %d with %d bytes, want 200 with the document", path, status, len(document))
	}
	if got := header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
		t.Errorf("Content-Type %q, want text, which browsers show", got)
	}
	if status, _, _ := do(t, "GET", home+path, nil, map[string]string{"Host": "attacker.example"}); status != http.StatusForbidden {
		t.Errorf("GET /%s for another host name = %d, want 403", path, status)
	}
}

func TestBrowserSendsABatchAndShowsTheOpenAPIDocument(t *testing.T) {
	t.Parallel()
	b := visit(t, start(t, nil), 1440, 900)
	b.send("orders", "{\"n\":1}\n{\"n\":2}\n{\"n\":3}", 2)
	if got := b.text("sent"); !strings.HasPrefix(got, "orders accepted 6 records in 2 batches") {
		t.Errorf("sending says %q", got)
	}
	b.until("each line counted and archived", `["accepted", "archived"].every((id) => document.getElementById(id).textContent === "6")`)
	b.click("#openapi")
	b.until("the document", `document.body.innerText.startsWith("openapi: 3.1") && document.body.innerText.includes("/archives/{stream}/batch")`)
}
