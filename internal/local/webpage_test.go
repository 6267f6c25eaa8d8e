package local_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/chromedp/chromedp"
	"github.com/data-sink/data-sink/internal/rig/s3test"
	"github.com/google/go-cmp/cmp"
)

// browser starts Chromium, which resolves attacker.example to this machine, as a
// page does that rebinds its name.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Fatal("no chromium in the PATH: install it, on Debian by `apt-get install chromium`")
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(),
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("host-resolver-rules", "MAP attacker.example 127.0.0.1"), chromedp.WSURLReadTimeout(time.Minute),
	)
	t.Cleanup(cancel)
	ctx, stop := chromedp.NewContext(ctx)
	t.Cleanup(stop)
	ctx, end := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(end)
	return ctx
}

// attack is a page of another origin. It tries what a page can try, and reports
// what it was able to read.
const attack = `<!doctype html><iframe name=frame></iframe>
<form id=upload target=frame method=post enctype=multipart/form-data action="%[1]s/datasink-archive">
<input name=key value="orders/forged"><input type=file name=file id=file></form>
<script>
async function attack() {
	const told = {};
	const step = async (name, f) => { try { told[name] = await f(); } catch (e) { told[name] = "blocked"; } };
	const text = async (url, options) => (await fetch(url, options)).text();
	await step("list", () => text("%[1]s/datasink-archive"));
	await step("read", () => text("%[1]s/datasink-archive/orders/kept"));
	await step("put", () => text("%[1]s/datasink-archive/orders/forged", {method: "PUT", body: "forged"}));
	await step("delete", () => text("%[1]s/datasink-archive/orders/kept", {method: "DELETE"}));
	await step("deleteSimple", async () => { await fetch("%[1]s/datasink-archive?delete", {method: "POST", mode: "no-cors", headers: {"Content-Type": "text/plain"}, body: "<Delete><Object><Key>orders/kept</Key></Object></Delete>"}); return "sent"; });
	await step("tap", () => text("%[2]s/", {method: "POST", headers: {"Content-Type": "text/plain"}, body: "{}"}));
	await step("operator", () => text("%[3]s/inspect"));
	await step("rebound", () => text("%[4]s/datasink-archive"));
	const files = new DataTransfer(); files.items.add(new File(["forged"], "x")); file.files = files.files;
	await new Promise(done => { document.querySelector("iframe").onload = done; upload.submit(); });
	return JSON.stringify(told);
}
</script>`

// A web page of another origin can neither read nor change anything by the ports
// for programs.
func TestAWebPageGetsNothing(t *testing.T) {
	t.Parallel()
	p, _, data := operated(t)
	e := readEndpoints(t, data)
	client := s3Client(e.S3URL)
	key := "orders/kept"
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader("<script>document.title='run'</script>kept")}); err != nil {
		t.Fatal(err)
	}
	before := s3test.Objects(t, p.root)

	_, s3Port, err := net.SplitHostPort(p.S3Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	page := fmt.Sprintf(attack, e.S3URL, e.AWSURL, e.OperatorURL, "http://attacker.example:"+s3Port)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(page))
	}))
	t.Cleanup(site.Close)
	_, sitePort, err := net.SplitHostPort(site.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ctx := browser(t)
	if err := chromedp.Do(ctx, chromedp.Navigate("http://attacker.example:"+sitePort+"/")); err != nil {
		t.Fatal(err)
	}
	answer := evaluate[string](t, ctx, `attack()`)
	var told map[string]string
	if err := json.Unmarshal([]byte(answer), &told); err != nil {
		t.Fatal(err)
	}
	for step, got := range told {
		if got != "blocked" && got != "sent" {
			t.Errorf("%s: the page read %q", step, got)
		}
	}
	if len(told) != 8 {
		t.Errorf("the page took %d steps, want 8: %v", len(told), told)
	}
	if diff := cmp.Diff(before, s3test.Objects(t, p.root)); diff != "" {
		t.Errorf("the archive has changed (-before +after):\n%s", diff)
	}

	// A link of the page to an object is refused.
	link := e.S3URL + "/datasink-archive/orders/kept"
	evaluate[string](t, ctx, fmt.Sprintf(`location.href = %q; ""`, link))
	waitFor(t, "the answer to the link", func() bool {
		return strings.Contains(evaluate[string](t, ctx, `document.body.innerText`), "not for web pages")
	})
	if title := evaluate[string](t, ctx, `document.title`); title == "run" {
		t.Error("a script in an object has run")
	}
}

func evaluate[T any](t *testing.T, ctx context.Context, expression string) T { // the test comes first
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}
