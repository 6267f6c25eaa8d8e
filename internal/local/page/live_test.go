package page_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestBrowserShowsARecordThatIsPosted(t *testing.T) {
	t.Parallel()
	b := visit(t, start(t, nil), 1440, 900)
	b.send("orders", `<img src=x onerror="alert(1)"> é`, 1)
	b.until("the record among the newest", `document.querySelector("#records pre")?.textContent === '<img src=x onerror="alert(1)"> é'`)
	b.until("the record in the archive", `document.getElementById("archived").textContent === "1" && document.getElementById("answer").textContent === "No: all accepted records are in the archive."`)
	b.until("its object", `document.querySelector("#tree .object a") !== null`)
	b.click("#tree .object a")
	b.until("its preview", `document.querySelector("#preview pre")?.textContent === '<img src=x onerror="alert(1)"> é\n'`)
	if eval[int](b, `document.querySelectorAll("img").length`) != 0 {
		t.Error("a body became an element")
	}
	// another stream, and back
	b.click("#choose-page-views")
	b.until("the other stream", `document.getElementById("plots-title").textContent === "page-views" && document.querySelector("#records pre") === null`)
	b.run(chromedp.NavigateBack())
	b.until("the first stream", `document.querySelector("#records pre") !== null`)
}

func TestBrowserShowsWhatMoves(t *testing.T) {
	t.Parallel()
	b := visit(t, start(t, nil), 1440, 900)
	points := func() string {
		return eval[string](b, `document.querySelector("#plot-rate polyline")?.getAttribute("points") ?? ""`)
	}
	b.focus("choose-orders")
	before := points()
	waitFor(t, "a plot that moves", func() bool { return points() != before })
	b.send("orders", "x", 200)
	b.until("a rate", `/in [1-9]/.test(document.querySelector("#plot-rate .line1").textContent)`)
	b.send("orders", "x", 500)
	b.until("records that move", `document.querySelector(".link.slow, .link.fast") !== null`)
	b.until("all in the archive", `document.getElementById("archived").textContent === "700"`)
	b.until("rest", `document.querySelector(".link.slow, .link.fast") === null`)
	// An element that is replaced keeps the keyboard focus.
	b.focus("choose-orders")
	before = points()
	waitFor(t, "a plot that moves", func() bool { return points() != before })
	if got := eval[string](b, "document.activeElement.id"); got != "choose-orders" {
		t.Errorf("the focus went to %q", got)
	}
	// With prefers-reduced-motion nothing is animated.
	b.media(map[string]string{"name": "prefers-reduced-motion", "value": "reduce"})
	b.send("orders", "x", 300)
	b.until("records on a link", `document.querySelector(".link.slow, .link.fast") !== null`)
	if n := eval[int](b, "document.getAnimations().length"); n != 0 {
		t.Errorf("%d animations run", n)
	}
}

func TestBrowserShowsAFaultThatHeals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ fault, says, meanwhile string }{
		{"redis", "Redis is stopped since", `document.getElementById("direct").textContent === "40"`},
		{"kinesis", "Kinesis is throttled since", `Number(document.getElementById("throttled").textContent) > 0`},
		{"drainer", "The drainer is dead since", `document.querySelector("#wide-Redis .value").textContent === "40"`},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			t.Parallel()
			b := visit(t, start(t, nil), 1440, 900)
			b.send("orders", "before", 1)
			b.click("#fault-" + tt.fault)
			b.until("the fault", fmt.Sprintf(`document.getElementById("health").textContent.startsWith(%q) && document.querySelector(".box.broken") !== null`, tt.says))
			b.send("orders", "meanwhile", 40)
			b.until("what the fault does", tt.meanwhile)
			b.shoot("fault-" + tt.fault)
			b.click("#fault-" + tt.fault)
			b.until("the fault healed", `!document.getElementById("health").textContent.includes(" since ") && document.querySelector(".box.broken") === null`)
			b.until("all in the archive", `["accepted", "archived"].every((id) => document.getElementById(id).textContent === "41")`)
			if got := b.text("records"); got == "" {
				t.Error("no record is shown")
			}
		})
	}
}

// sizes are those of a phone, a tablet and a desktop.
var sizes = []struct{ width, height int64 }{{390, 844}, {820, 1180}, {1440, 900}}

// On every size the page fits the window and is accessible, in light and dark, with
// and without a fault.
func TestBrowserFitsEveryWindowAndIsAccessible(t *testing.T) {
	t.Parallel()
	home := start(t, nil)
	b := visit(t, home, 1440, 900)
	for range 3 {
		b.send("orders", `{"order":4711,"customer":"c-0815","lines":[{"sku":"A-17","quantity":2},{"sku":"B-3","quantity":1}],"total":"129.90"}`, 300)
		b.send("dispatcher-decisions", `{"decision":"assign","job":"j-77","candidates":12,"chosen":"van-4"}`, 100)
	}
	b.send("orders", "https://example.com/"+fmt.Sprintf("%0300d", 7), 1)
	b.until("an object", `document.querySelector("#tree .object a") !== null`)
	b.click("#tree .object a")
	b.until("a preview", `document.querySelector("#preview pre") !== null`)
	for _, fault := range []bool{false, true} {
		if fault {
			b.click("#fault-redis")
			b.until("the fault", `document.getElementById("health").classList.contains("bad")`)
		}
		for _, size := range sizes {
			for _, scheme := range []string{"light", "dark"} {
				name := fmt.Sprintf("%d-%s", size.width, scheme)
				if fault {
					name += "-fault"
				}
				b.run(chromedp.EmulateViewport(size.width, size.height))
				b.media(map[string]string{"name": "prefers-color-scheme", "value": scheme})
				b.send("orders", `{"order":4712}`, 50)
				b.send("page-views", "/index.html", 20)
				if got := eval[int64](b, "document.documentElement.scrollWidth"); got > size.width {
					t.Errorf("at %d pixels the page is %d wide", size.width, got)
				}
				for _, finding := range b.axe() {
					t.Errorf("%s: %s", name, finding)
				}
				eval[bool](b, "window.scrollTo(0, 0), true")
				b.shoot(name)
			}
		}
	}
}

// A preview opens in the part of the page that is visible.
func TestBrowserShowsThePreviewThatIsOpened(t *testing.T) {
	t.Parallel()
	for _, size := range sizes {
		t.Run(fmt.Sprint(size.width), func(t *testing.T) {
			t.Parallel()
			b := visit(t, start(t, nil), size.width, size.height)
			b.click("#fault-redis")
			b.until("the fault", `document.getElementById("health").classList.contains("bad")`)
			b.send("orders", "one of many objects", 30) // an object each
			b.until("the objects", `document.querySelectorAll("#tree .object").length === 20`)
			eval[bool](b, `document.querySelectorAll("#tree .object a")[15].scrollIntoView(), true`)
			b.click("#tree .object:nth-child(16) a")
			b.until("the preview in the window", `(() => {
				const pre = document.querySelector("#preview pre");
				if (!pre) return false;
				const box = pre.getBoundingClientRect();
				return pre.textContent === "one of many objects\n" && box.top >= 0 && box.bottom <= innerHeight;
			})()`)
			b.shoot(fmt.Sprintf("preview-%d", size.width))
		})
	}
}
