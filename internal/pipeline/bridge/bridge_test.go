package bridge_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/bridge"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/google/go-cmp/cmp"
)

func TestBodiesAreFramedAndPackedIntoOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if first := invoke(t, b.Handler, t.Context(), event(records("a", "b\n", "", "\x00\xff", "c\nd"))); first != "" {
		t.Errorf("undelivered from %q on, want nothing", first)
	}
	if want := [][]byte{[]byte("a\nb\n\n\x00\xff\nc\nd\n")}; !cmp.Equal(b.firehose.took, want) || b.firehose.name != "datasink.orders" {
		t.Errorf("%s took %q, want datasink.orders to take %q", b.firehose.name, b.firehose.took, want)
	}
}

func TestRawBodiesStayAsTheyAre(t *testing.T) {
	t.Parallel()
	b := setup(t)
	list := records("", "a", "", "\x1f\x8b", "")
	for i := range list {
		list[i].stream = "datasink.legacy/consumer/fast:1"
	}
	if first := invoke(t, b.Handler, t.Context(), event(list)); first != "" {
		t.Errorf("undelivered from %q on, want nothing", first)
	}
	if want := [][]byte{[]byte("a\x1f\x8b")}; !cmp.Equal(b.firehose.took, want) {
		t.Errorf("Firehose accepted %q, want %q", b.firehose.took, want)
	}
}

func TestRetiredStreamsDrain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if first := invoke(t, b.Handler, t.Context(), event([]sent{{"datasink.gone", "1", []byte("a")}})); first != "" || string(b.firehose.bytes()) != "a\n" {
		t.Errorf("undelivered from %q on, Firehose accepted %q, want all delivered", first, b.firehose.took)
	}
}

func TestNothingToDo(t *testing.T) {
	t.Parallel()
	for _, event := range []string{`{}`, `{"Records":[]}`, `{"Records":null}`, `{"Records":[],"window":{}}`} {
		b := setup(t)
		if first := invoke(t, b.Handler, t.Context(), []byte(event)); first != "" || len(b.firehose.took) > 0 || len(b.summaries) > 0 {
			t.Errorf("%s: undelivered from %q on, Firehose accepted %q, want nothing", event, first, b.firehose.took)
		}
	}
	b := setup(t)
	list := []sent{{"datasink.legacy", "1", []byte{}}}
	if first := invoke(t, b.Handler, t.Context(), event(list)); first != "" || len(b.firehose.took) > 0 {
		t.Errorf("a raw record of no bytes: undelivered from %q on, Firehose accepted %q, want nothing", first, b.firehose.took)
	}
}

func TestStreamThatIsNotInTheSetIsKept(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"datasink.removed", "other.orders", "orders", "datasink.", "datasinkxorders", ""} {
		b := setup(t)
		list := append(records("a"), sent{name, "2", []byte("b")})
		answer, err := b.Invoke(t.Context(), event(list))
		if err == nil || !strings.Contains(err.Error(), "stream/"+name+": not a stream of datasink") || answer != nil {
			t.Errorf("stream %q: Invoke = %s, %v, want an error that names it", name, answer, err)
		}
		if len(b.firehose.took) > 0 {
			t.Errorf("stream %q: Firehose accepted %q, want nothing: the whole event is redelivered", name, b.firehose.took)
		}
	}
}

func TestSeveralStreamsInOneEvent(t *testing.T) {
	t.Parallel()
	list := []sent{
		{"datasink.orders", "9", []byte("a")},
		{"datasink.legacy", "8", []byte("b")},
		{"datasink.legacy", "7", []byte("c")},
		{"datasink.orders", "6", []byte("d")},
	}
	b := setup(t)
	if first := invoke(t, b.Handler, t.Context(), event(list)); first != "" || string(b.firehose.bytes()) != "a\nbcd\n" {
		t.Errorf("undelivered from %q on, Firehose accepted %q, want each in its format", first, b.firehose.took)
	}
	b = setup(t)
	b.firehose.refuse = func(entries []sink.Entry) sink.Result {
		if string(entries[0].Data) == "bc" {
			return sink.Result{Left: []int{0}, Err: errors.New("unreachable")}
		}
		return sink.Result{}
	}
	if first := invoke(t, b.Handler, t.Context(), event(list)); first != "8" || string(b.firehose.bytes()) != "a\n" {
		t.Errorf("undelivered from %q on, Firehose accepted %q, want 8 and only the records before it", first, b.firehose.took)
	}
}

func TestConcurrentInvocationsKeepApart(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	took := make(map[string]bool)
	h := bridge.New(bridge.Config{
		Bridge: env.Bridge{Base: env.Base{Name: "datasink"}}, Streams: streams(t), Archive: &failed{}, Log: silent,
		Firehose: put(func(entries []sink.Entry) sink.Result {
			mu.Lock()
			defer mu.Unlock()
			took[string(entries[0].Data)] = true
			return sink.Result{}
		}),
	})
	for i := range 50 {
		body := strings.Repeat(string(rune('A'+i)), 10_000)
		wg.Go(func() {
			for range 10 {
				if first := invoke(t, h, t.Context(), event(records(body, body))); first != "" {
					t.Errorf("undelivered from %q on, want nothing", first)
				}
			}
		})
	}
	wg.Wait()
	for i := range 50 {
		body := strings.Repeat(string(rune('A'+i)), 10_000)
		if !took[body+"\n"+body+"\n"] {
			t.Errorf("the bodies of invocation %d did not arrive as they were", i)
		}
	}
	if len(took) != 50 {
		t.Errorf("%d different Firehose records, want 50", len(took))
	}
}
