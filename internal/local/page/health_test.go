package page_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/rig/redistest"
	"github.com/redis/go-redis/v9"
)

// watchSums counts, in the browser, the updates of the page in which the numbers do
// not add up.
const watchSums = `
	window.wrongSums = [];
	window.sums = 0;
	const number = (id) => Number((document.getElementById(id)?.textContent ?? "0").replaceAll(",", ""));
	const check = () => {
		window.sums++;
		const left = number("accepted") + number("copies");
		const right = ["redis", "tap", "firehose", "archived", "dead", "missing"].map(number).reduce((a, b) => a + b);
		if (left !== right) window.wrongSums.push(left + " is not " + right);
	};
	new MutationObserver(check).observe(document.getElementById("tally"), { childList: true, subtree: true });
	check();
	true`

func (b *tab) sumsAreRight() {
	b.t.Helper()
	if wrong := eval[string](b, `window.wrongSums.join("; ")`); wrong != "" {
		b.t.Errorf("numbers that do not add up: %s", wrong)
	}
	if n := eval[int](b, `window.sums`); n < 3 {
		b.t.Errorf("%d updates seen, want some", n)
	}
}

func TestBrowserFollowsARedisThatIsKilled(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	b := visit(t, start(t, func(o *local.Options) { o.RedisURL = redis.URL }), 1440, 900)
	eval[bool](b, watchSums)
	b.send("orders", "first", 5)
	b.until("all in the archive", `document.getElementById("answer").textContent === "No: all accepted records are in the archive."`)
	if got := b.text("health"); got != "All parts work." {
		t.Errorf("the pill says %q", got)
	}
	b.click("#fault-drainer")
	b.until("the fault", `document.getElementById("health").textContent.includes("The drainer is dead")`)
	b.send("orders", "waits in Redis", 40)
	b.until("the backlog", `document.getElementById("redis").textContent === "40"`)

	redis.Kill()
	b.until("an unreachable Redis", `document.getElementById("health").textContent.includes("Redis is unreachable since")`)
	b.until("no answer", `document.getElementById("answer").textContent === "Unknown: Redis is unreachable, and 40 records wait there."`)
	b.shoot("redis-killed")
	b.send("orders", "a direct record", 1)
	b.until("the direct record", `document.getElementById("health").textContent.includes("1 direct record in the last minute")`)

	if err := redis.Restart(); err != nil { // It has kept nothing.
		t.Fatal(err)
	}
	b.until("the loss", `document.getElementById("answer").textContent === "Yes: Redis has lost 40 records." && document.getElementById("missing").textContent === "40"`)
	if got := b.text("health"); strings.Contains(got, "unreachable") || !strings.Contains(got, "Redis has lost 40 records.") {
		t.Errorf("the pill says %q", got)
	}
	b.shoot("redis-lost-records")
	b.click("#fault-drainer")
	b.send("orders", "after", 3)
	b.until("the new records in the archive", `document.getElementById("archived").textContent === "9"`)
	b.until("the answer after the last acknowledgement", `document.getElementById("answer").textContent === "Yes: Redis has lost 40 records."`)
	b.sumsAreRight()
}

func TestBrowserShowsDeadLetters(t *testing.T) {
	t.Parallel()
	b := visit(t, start(t, func(o *local.Options) {
		o.Seams.Firehose = func(s sink.Service) sink.Service { return poisoned{s} }
	}), 1440, 900)
	eval[bool](b, watchSums)
	b.send("orders", "good", 3)
	b.send("orders", "poison", 1)
	b.until("the dead letter", `document.getElementById("dead").textContent === "1" && document.getElementById("health").textContent === "1 dead letter under failed/. "`)
	b.until("the answer", `document.getElementById("answer").textContent === "No: 1 record is a dead letter under failed/. All others are in the archive."`)
	b.sumsAreRight()
}

// poisoned refuses entries with "poison" as invalid.
type poisoned struct{ sink.Service }

func (p poisoned) Put(ctx context.Context, stream string, entries []sink.Entry) ([]sink.Failure, error) {
	for _, e := range entries {
		if strings.Contains(string(e.Data), "poison") {
			return nil, fmt.Errorf("%w: InvalidArgumentException", sink.ErrInvalid)
		}
	}
	return p.Service.Put(ctx, stream, entries)
}

func TestBrowserShowsAnUnsafeEvictionPolicy(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t, "--maxmemory-policy", "allkeys-lru")
	b := visit(t, start(t, func(o *local.Options) { o.RedisURL = redis.URL }), 1440, 900)
	b.until("the policy", `document.getElementById("health").textContent === "Redis can drop accepted records: its maxmemory-policy is allkeys-lru. "`)
}

// A queue that cannot be read is named, although Redis answers.
func TestPageNamesAQueueThatCannotBeRead(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	home := start(t, func(o *local.Options) { o.RedisURL = server.URL })
	o, err := redis.ParseURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(o)
	t.Cleanup(func() { _ = client.Close() }) // The server is removed too.
	const key = "datasink:{page-views}:queue"
	if err := client.Set(t.Context(), key, "not a list", 0).Err(); err != nil {
		t.Fatal(err)
	}
	shows := func(text string) func() bool {
		return func() bool {
			_, _, html := do(t, "GET", home, nil, nil)
			return strings.Contains(html, text)
		}
	}
	waitFor(t, "the queue to be named", shows("<strong>The queue of page-views cannot be read.</strong>"))
	if err := client.Del(t.Context(), key).Err(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the queue to be readable", shows("All parts work."))
}

func TestBrowserGreysOutWithoutContact(t *testing.T) {
	t.Parallel()
	var ended atomic.Bool
	home, stop := startUntil(t, nil)
	end := func() {
		if !ended.Swap(true) {
			_ = stop()
		}
	}
	t.Cleanup(end)
	b := visit(t, home, 1440, 900)
	b.ignoresFailedLoads()
	b.send("orders", "before", 1)
	end()
	b.until("no contact", `document.body.classList.contains("lost") && document.getElementById("health").textContent.startsWith("No contact with the pipeline since")`)
	if got := eval[float64](b, `Number(getComputedStyle(document.querySelector("#pipeline")).opacity)`); got >= 1 {
		t.Errorf("the opacity of the page is %v, want it grey", got)
	}
	if got := eval[string](b, "document.title"); !strings.HasPrefix(got, "No contact") {
		t.Errorf("the title is %q", got)
	}
	b.click("#send-button")
	b.until("a record that was not sent", `document.getElementById("sent").textContent === "Not sent: the pipeline does not answer." && document.getElementById("sent").classList.contains("bad")`)
	b.shoot("no-contact")
}

// The stream of the form and the stream that is shown are the same.
func TestBrowserMovesFormAndStreamTogether(t *testing.T) {
	t.Parallel()
	b := visit(t, start(t, nil), 1440, 900)
	shown := func(name string) {
		t.Helper()
		b.until(name+" in the form and on the page", fmt.Sprintf(`document.getElementById("send-stream").value === %q && document.getElementById("plots-title").textContent === %q`, name, name))
	}
	b.click("#choose-page-views")
	shown("page-views")
	b.run(chromedp.Focus(chromedp.CSS("#send-stream")))
	eval[bool](b, `document.getElementById("send-stream").value = "orders", document.getElementById("send-stream").dispatchEvent(new Event("change"))`)
	shown("orders")
	b.send("orders", "x", 1)
	shown("orders")
	b.run(chromedp.NavigateBack())
	shown("page-views")
}
