package page_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/local"
)

// Without JavaScript the page is forms and links.
func TestPageWorksWithoutJavaScript(t *testing.T) {
	t.Parallel()
	home := start(t, nil)
	form := url.Values{"stream": {"orders"}, "body": {"<b>first\tsecond</b>"}, "key": {"k&1"}, "times": {"3"}}
	status, header, _ := do(t, "POST", home+"page/send", form, nil)
	if status != http.StatusSeeOther || header.Get("Location") != "/?stream=orders#send" {
		t.Fatalf("POST /page/send = %d to %q, want 303 to the page", status, header.Get("Location"))
	}
	waitFor(t, "the records in the archive", func() bool {
		_, _, html := do(t, "GET", home+"?stream=orders", nil, nil)
		return strings.Contains(html, `<dd id="archived">3</dd>`)
	})
	_, header, html := do(t, "GET", home+"?stream=orders", nil, nil)
	for _, want := range []string{
		"orders accepted 3 records", "&lt;b&gt;first\tsecond&lt;/b&gt;", "<code>k&amp;1</code>", `<dd id="accepted">3</dd>`, "No: all accepted records are in the archive.", ".gz</a>",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if policy := header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'self'") {
		t.Errorf("Content-Security-Policy %q", policy)
	}
	if strings.Contains(html, "style=") || strings.Contains(html, "https://") || strings.Contains(html, "<script>") {
		t.Error("the page has inline code, which its policy forbids, or names another host")
	}
}

func TestPagePreviewsObjects(t *testing.T) {
	t.Parallel()
	home := start(t, nil)
	do(t, "POST", home+"page/send", url.Values{"stream": {"orders"}, "body": {"in the object"}, "times": {"1"}}, nil)
	href := ""
	waitFor(t, "an object", func() bool {
		_, _, html := do(t, "GET", home, nil, nil)
		_, rest, found := strings.Cut(html, `<li class="object"><a id="entry-`)
		_, rest, _ = strings.Cut(rest, `href="/`)
		href, _, _ = strings.Cut(rest, `"`)
		return found
	})
	_, _, html := do(t, "GET", home+strings.ReplaceAll(href, "&amp;", "&"), nil, nil)
	if !strings.Contains(html, "in the object\n</pre>") {
		t.Errorf("%s shows no preview", href)
	}
	for _, object := range []string{"../kinesis", "../../etc/passwd", "/etc/passwd", "nothing", "orders", "a\x00b"} {
		_, _, html := do(t, "GET", home+"?"+url.Values{"object": {object}, "at": {object}}.Encode(), nil, nil)
		if !strings.Contains(html, "There is no such object.") && !strings.Contains(html, "This is not an object.") {
			t.Errorf("object %q is shown", object)
		}
	}
}

// The page explains a malformed form, and a record that the API refuses.
func TestPageExplainsErrors(t *testing.T) {
	t.Parallel()
	home := start(t, nil)
	for _, tt := range []struct {
		change url.Values
		want   string
	}{
		{url.Values{"times": {"0"}}, "Not sent: a body can be sent 1 to 1000 times."},
		{url.Values{"times": {"x"}}, "Not sent: a body can be sent 1 to 1000 times."},
		{url.Values{"body": {""}}, "Not sent: orders answered 400: "},
		{url.Values{"key": {strings.Repeat("k", 257)}}, "Not sent: orders answered 400: "},
		{url.Values{"body": {strings.Repeat("x", 3<<20)}}, "Not sent: the form is too large"},
	} {
		form := url.Values{"stream": {"orders"}, "body": {"x"}, "times": {"1"}}
		for name, value := range tt.change {
			form[name] = value
		}
		do(t, "POST", home+"page/send", form, nil)
		if _, _, html := do(t, "GET", home, nil, nil); !strings.Contains(html, tt.want) {
			t.Errorf("the page lacks %q", tt.want)
		}
	}
	for _, form := range []url.Values{{}, {"fault": {"redis"}}, {"fault": {"other"}, "state": {"on"}}} {
		if status, _, _ := do(t, "POST", home+"page/fault", form, nil); status != http.StatusBadRequest {
			t.Errorf("fault %v = %d, want 400", form, status)
		}
	}
}

// The page of another host cannot read or change anything, whichever name of this
// machine it uses.
func TestPageIsForThisMachineOnly(t *testing.T) {
	t.Parallel()
	home := start(t, nil)
	fault := url.Values{"fault": {"redis"}, "state": {"on"}}
	port := home[strings.LastIndex(home, ":"):]
	for _, tt := range []struct {
		name, method, path string
		form               url.Values
		header             map[string]string
		want               int
	}{
		{"page", "GET", "", nil, nil, 200},
		{"localhost", "GET", "", nil, map[string]string{"Host": "LOCALHOST" + strings.TrimSuffix(port, "/")}, 200},
		{"IPv6", "GET", "", nil, map[string]string{"Host": "[::1]"}, 200},
		{"rebound name", "GET", "", nil, map[string]string{"Host": "evil.example"}, 403},
		{"rebound name of an asset", "GET", "page/page.js", nil, map[string]string{"Host": "evil.example"}, 403},
		{"address of the network", "GET", "", nil, map[string]string{"Host": "192.168.0.7:8080"}, 403},
		{"localhost as a part", "GET", "", nil, map[string]string{"Host": "localhost.evil.example"}, 403},
		{"rebound fault", "POST", "page/fault", fault, map[string]string{"Host": "evil.example", "Origin": "http://evil.example"}, 403},
		{"foreign origin", "POST", "page/fault", fault, map[string]string{"Origin": "http://evil.example"}, 403},
		{"no origin", "POST", "page/fault", fault, map[string]string{"Origin": "null"}, 403},
		{"foreign site", "POST", "page/send", fault, map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"no such action", "POST", "page/other", fault, nil, 404},
		{"no such asset", "GET", "page/page.html", nil, nil, 404},
		{"path outside", "GET", "page/../page/../../page.go", nil, nil, 404},
		{"other method", "PUT", "", nil, nil, 405},
		{"own origin", "POST", "page/fault", url.Values{"fault": {"redis"}, "state": {"off"}}, map[string]string{"Origin": strings.TrimSuffix(home, "/")}, 303},
		{"API", "GET", "health", nil, map[string]string{"Host": "evil.example"}, 200},
	} {
		if status, _, _ := do(t, tt.method, home+tt.path, tt.form, tt.header); status != tt.want {
			t.Errorf("%s: %s /%s = %d, want %d", tt.name, tt.method, tt.path, status, tt.want)
		}
	}
	if _, _, html := do(t, "GET", home, nil, nil); !strings.Contains(html, "All parts work.") {
		t.Error("a refused request has started a fault")
	}
}

func TestPageIsNotThereForANetwork(t *testing.T) {
	t.Parallel()
	home := start(t, func(o *local.Options) { o.Addr = "0.0.0.0:0" })
	home = "http://127.0.0.1" + home[strings.LastIndex(home, ":"):]
	for _, path := range []string{"", "page/page.js"} {
		if status, _, _ := do(t, "GET", home+path, nil, nil); status != http.StatusNotFound {
			t.Errorf("GET /%s = %d, want 404", path, status)
		}
	}
	fault := url.Values{"fault": {"redis"}, "state": {"on"}}
	if status, _, _ := do(t, "POST", home+"page/fault", fault, nil); status != http.StatusNotFound {
		t.Errorf("POST /page/fault = %d, want 404", status)
	}
}
