package verifier_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/remote"
	"github.com/data-sink/data-sink/internal/operate/verifier"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// secret is in every body: no log line may have it.
const secret = "hunter2"

// healthy is a world of two streams with all in order: orders has two objects of
// five records, views one of one.
func healthy(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, "orders", "views")
	w.write(key("orders", 0), w.bridged("orders", "one "+secret+"\n", "two "+secret+"\nthree "+secret+"\n"))
	w.write(key("orders", 1), w.bridged("orders", "four "+secret+"\nfive "+secret+"\n"))
	w.write(key("views", 0), w.bridged("views", "seen "+secret+"\n"))
	w.queues.Streams["orders"] = queue.State{Accepted: 6, Depth: 1, Forwarded: 5}
	return w
}

func TestAWindowInOrder(t *testing.T) {
	t.Parallel()
	w := healthy(t)
	got, err := w.invoke(t.Context(), scheduled)
	if err != nil {
		t.Fatal(err)
	}
	want := verifier.Answer{From: base, To: base.Add(time.Hour), Streams: map[string]verifier.Result{
		"orders": {Records: 5, Bytes: 64, Objects: 2}, "views": {Records: 1, Bytes: 13, Objects: 1},
	}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(verifier.Result{})); diff != "" {
		t.Errorf("answer differs (-want +got):\n%s", diff)
	}
	if got := w.emitted(); !slices.Equal(got, []string{"Differences Service=d: 0", "Verified Service=d: 6"}) {
		t.Errorf("metrics %v", got)
	}
	if n := len(w.logs("stream_verified")); n != 2 || strings.Count(w.log.String(), "\n") != 2 {
		t.Errorf("logged, want one line for each stream:\n%s", &w.log)
	}
}

// TestEachDifferenceIsFoundLoggedAndCounted breaks one stream, and finds the
// other verified all the same.
func TestEachDifferenceIsFoundLoggedAndCounted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		fault   func(w *world)
		log     map[string]any
		metrics []string
	}{
		{
			"a deleted object", func(w *world) { w.remove(key("orders", 1)) },
			map[string]any{"kind": "missing", "hop": "archive", "object": "", "bytes": 26.0, "records": 2.0},
			[]string{"Differences Service=d: 1", "Missing Service=d: 2", "Verified Service=d: 4"},
		},
		{
			"a changed byte", func(w *world) { w.write(key("orders", 1), []byte("four "+secret+"\nfive HUNTER2\n")) },
			map[string]any{"kind": "changed", "hop": "archive", "object": key("orders", 1), "bytes": 26.0, "records": 2.0},
			[]string{"Differences Service=d: 1", "Verified Service=d: 4"},
		},
		{
			"an object delivered twice", func(w *world) { w.write(key("orders", 2), []byte("four "+secret+"\nfive "+secret+"\n")) },
			map[string]any{"kind": "twice", "hop": "archive", "object": key("orders", 2), "bytes": 26.0, "records": 2.0},
			[]string{"Differences Service=d: 1", "Verified Service=d: 6"},
		},
		{
			"counters that do not add up", func(w *world) { w.queues.Streams["orders"] = queue.State{Accepted: 6, Forwarded: 5, Exact: true} },
			map[string]any{"kind": "unbalanced", "hop": "queue", "object": "", "bytes": 0.0, "records": 0.0},
			[]string{"Differences Service=d: 1", "Verified Service=d: 6"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := healthy(t)
			tt.fault(w)
			answer, err := w.invoke(t.Context(), scheduled)
			if err != nil {
				t.Fatal(err)
			}
			if answer.Streams["orders"].Differences != 1 || answer.Streams["views"].Records != 1 {
				t.Errorf("answer %+v", answer)
			}
			lines := w.logs("archive_differs")
			if len(lines) != 1 {
				t.Fatalf("%d lines, want one of the difference:\n%s", len(lines), &w.log)
			}
			tt.log["stream"], tt.log["level"] = "orders", "ERROR"
			for name, want := range tt.log {
				if lines[0][name] != want {
					t.Errorf("logged %s = %v, want %v", name, lines[0][name], want)
				}
			}
			if reason, _ := lines[0]["reason"].(string); reason == "" || strings.Contains(strings.ToLower(w.log.String()), secret) {
				t.Errorf("logged, want a reason and no body:\n%s", &w.log)
			}
			if diff := cmp.Diff(tt.metrics, w.emitted()); diff != "" {
				t.Errorf("metrics (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEachLossIsReportedOnce has a loss that a sweep found around the last scheduled
// invocation and after the window. Redis keeps only the time of the last loss.
func TestEachLossIsReportedOnce(t *testing.T) {
	t.Parallel()
	byHand := fmt.Sprintf(`{"from":%q,"to":%q}`, base.Format(time.RFC3339), base.Add(time.Hour).Format(time.RFC3339))
	for _, tt := range []struct {
		event string
		lost  time.Duration // after the window began
		want  int
	}{
		{scheduled, 45*time.Minute - time.Second, 0},
		{scheduled, 45 * time.Minute, 1},
		{scheduled, 104 * time.Minute, 1},
		{byHand, 10 * time.Minute, 1},
		{byHand, 104 * time.Minute, 0},
	} {
		w := healthy(t)
		w.queues.Streams["orders"] = queue.State{Accepted: 6, Forwarded: 5, Lost: 1, LostBytes: 9, LostAt: base.Add(tt.lost), Exact: true}
		answer, err := w.invoke(t.Context(), tt.event)
		if got := answer.Streams["orders"].Differences; err != nil || got != tt.want {
			t.Errorf("%s, lost %v after the window began: %d differences, %v, want %d", tt.event, tt.lost, got, err, tt.want)
		}
	}
}

func TestManyDifferencesAreLoggedInPart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "orders")
	for n := range 130 {
		w.write(key("orders", n), fmt.Appendf(nil, "nobody sent this: %d\n", n))
	}
	w.write(key("orders", 999), w.bridged("orders", "sent\n"))
	answer, err := w.invoke(t.Context(), scheduled)
	if err != nil || answer.Streams["orders"].Differences != 130 {
		t.Fatalf("answer %+v, %v", answer, err)
	}
	more := w.logs("more_differences")
	if len(w.logs("archive_differs")) != 100 || len(more) != 1 || more[0]["count"] != 30.0 {
		t.Errorf("%d lines, and %v", len(w.logs("archive_differs")), more)
	}
}

// TestOneStreamThatCannotBeVerifiedHidesNoOther has the objects of one stream not
// be read in time, of which the invocation ends in an error.
func TestOneStreamThatCannotBeVerifiedHidesNoOther(t *testing.T) {
	t.Parallel()
	w := healthy(t)
	w.stall = "/orders/"
	w.remove(key("views", 0))
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second) // of which it uses half
	defer cancel()
	_, err := w.invoke(ctx, scheduled)
	if err == nil || !strings.Contains(err.Error(), "1 of 2 streams not verified, one of them orders: out of time") {
		t.Errorf("Invoke = %v, want an error that names the stream and the time", err)
	}
	if lines := w.logs("stream_unverified"); len(lines) != 1 || lines[0]["stream"] != "orders" {
		t.Errorf("logged %v", lines)
	}
	if diff := cmp.Diff([]string{"Differences Service=d: 1", "Missing Service=d: 1"}, w.emitted()); diff != "" {
		t.Errorf("metrics of the other stream (-want +got):\n%s", diff)
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	errUnreachable := errors.New("unreachable")
	for _, tt := range []struct {
		name    string
		fault   func(w *world)
		want    string
		metrics []string
	}{
		{
			"the log", func(w *world) {
				w.config.PackedLines = func(context.Context, time.Time, time.Time, func([]byte) error) error { return errUnreachable }
			}, "Z: reading the log of packed records: unreachable", nil,
		},
		{
			"a line of the log", func(w *world) { w.lines.WriteString(`{"msg":"packed","stream":"views","hash":"none"}` + "\n") },
			"parsing the log line of a packed record: malformed line",
			[]string{"Differences Service=d: 0", "Verified Service=d: 6"},
		},
		{
			"the log of a stream", func(w *world) {
				w.lines.Reset()
				w.bridged("views", "seen "+secret+"\n")
			}, "1 of 2 streams not verified, one of them orders: explaining " + key("orders", 0) + ": the logs of the bridge and the drainer have no packed record of this time",
			[]string{"Differences Service=d: 0", "Verified Service=d: 1"},
		},
		{
			"the queues", func(w *world) {
				w.config.Inspect = func(context.Context) (drain.Inspection, error) { return drain.Inspection{}, errUnreachable }
			}, "unreachable", []string{"Differences Service=d: 0", "Verified Service=d: 6"},
		},
		{
			"the archive", func(w *world) { w.config.Objects = nowhere(w) }, "2 of 2 streams not verified, one of them orders: listing orders/", nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := healthy(t)
			tt.fault(w)
			if _, err := w.invoke(t.Context(), scheduled); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Invoke = %v, want an error with %q", err, tt.want)
			}
			if diff := cmp.Diff(tt.metrics, w.emitted(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("metrics (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWindows(t *testing.T) {
	t.Parallel()
	at := func(text string) time.Time {
		t.Helper()
		parsed, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	for _, tt := range []struct {
		event    string
		every    time.Duration
		from, to string
	}{
		{`{"scheduledAt":"2026-11-22T11:45:00Z"}`, time.Hour, "2026-11-22T10:00:00Z", "2026-11-22T11:00:00Z"},
		{`{"scheduledAt":"2026-11-22T11:45:00Z"}`, 6 * time.Hour, "2026-11-22T05:00:00Z", "2026-11-22T11:00:00Z"},
		{`{"scheduledAt":"2026-11-22T00:45:00Z"}`, 24 * time.Hour, "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"},
		{`{"scheduledAt":"2026-11-22T11:39:59Z"}`, time.Hour, "2026-11-22T09:00:00Z", "2026-11-22T10:00:00Z"},
		{`{}`, time.Hour, "2026-11-22T10:00:00Z", "2026-11-22T11:00:00Z"}, // by the clock
		{`{"from":"2026-11-22T10:15:00+01:00","to":"2026-11-22T09:45:00Z"}`, time.Hour, "2026-11-22T09:15:00Z", "2026-11-22T09:45:00Z"},
	} {
		w := newWorld(t, "orders")
		w.config.Every, w.config.Now = tt.every, func() time.Time { return at("2026-11-22T11:45:00Z") }
		answer, err := w.invoke(t.Context(), tt.event)
		if err != nil || !answer.From.Equal(at(tt.from)) || !answer.To.Equal(at(tt.to)) {
			t.Errorf("%s every %v: %v to %v, %v; want %s to %s", tt.event, tt.every, answer.From, answer.To, err, tt.from, tt.to)
		}
	}
	for _, event := range []string{`"no event"`, `{"from":"2026-11-22T10:15:00Z"}`, `{"to":"2026-11-22T10:15:00Z"}`, `{"from":"2026-11-22T10:15:00Z","to":"2026-11-22T10:15:00Z"}`, `{"scheduledAt":"soon"}`} {
		if _, err := newWorld(t, "orders").invoke(t.Context(), event); err == nil || !strings.Contains(err.Error(), "reading the event") {
			t.Errorf("%s: %v, want it refused", event, err)
		}
	}
}

// TestOnlyAWindowThatIsYoungHasRecordsInFlight holds that the schedule's windows
// are judged as they are: a late object, written just now, is no excuse.
func TestOnlyAWindowThatIsYoungHasRecordsInFlight(t *testing.T) {
	t.Parallel()
	w := healthy(t)
	w.remove(key("orders", 1))
	w.write(key("views", 7), []byte("nobody sent this\n"))
	byHand := fmt.Sprintf(`{"from":%q,"to":%q}`, base.Format(time.RFC3339), base.Add(30*time.Minute).Format(time.RFC3339))
	for _, tt := range []struct {
		now           time.Time
		event         string
		orders, views int
	}{
		{base.Add(time.Minute), byHand, 0, 0},
		{base.Add(30 * time.Minute), byHand, 1, 0},
		{time.Now(), byHand, 1, 1},
		{time.Now(), scheduled, 1, 1},
	} {
		w.config.Now = func() time.Time { return tt.now }
		answer, err := w.invoke(t.Context(), tt.event)
		if err != nil || answer.Streams["orders"].Differences != tt.orders || answer.Streams["views"].Differences != tt.views {
			t.Errorf("%v at %v: %+v, %v; want %d and %d differences", tt.event, tt.now, answer, err, tt.orders, tt.views)
		}
	}
}

// TestAWindowIsOldEnough holds that nothing of it can be in flight, whatever its
// stream buffers.
func TestAWindowIsOldEnough(t *testing.T) {
	t.Parallel()
	if longest := remote.Settle(stream.Stream{BufferSeconds: 900}); longest >= verifier.Lag {
		t.Errorf("a record may be under way for %v, a window is over for %v", longest, verifier.Lag)
	}
}

func nowhere(w *world) *bucket.Bucket { return bucket.New(w.client, "absent") }

// A direct record of a batch counts with all its records, and is not subtracted from
// the records of the bridge.
func TestDirectRecordsOfABatchAreCounted(t *testing.T) {
	t.Parallel()
	w := healthy(t)
	folder := stream.Stream{Name: "orders"}.Folder(base)
	for name, body := range map[string]string{"fallback-gone.gz": "a\nb\nc\n", "fallback-changed.gz": "d\ne\n"} {
		fmt.Fprintf(&w.direct, `{"time":%q,"msg":"record_archived","stream":"orders","reason":"fallback","records":%d,"bytes":%d,"hash":%q,"key":%q}`+"\n",
			base.Add(time.Minute).Format(time.RFC3339), strings.Count(body, "\n"), len(body), archive.Hash(stream.Lines, []byte(body)), folder+name)
	}
	w.write(folder+"fallback-changed.gz", []byte("d\nX\n"))
	if _, err := w.invoke(t.Context(), scheduled); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Differences Service=d: 2", "Missing Service=d: 3", "Verified Service=d: 6"}, w.emitted()); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

// A retired stream drains: its records are verified until nothing of it is left.
func TestRetiredStreamsAreVerified(t *testing.T) {
	t.Parallel()
	w := healthy(t)
	w.config.Streams = parse(t, `{"name":"orders","retired":true}`, `{"name":"gone","retired":true}`)
	w.remove(key("orders", 1))
	answer, err := w.invoke(t.Context(), scheduled)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]verifier.Result{"orders": {Records: 3, Bytes: 38, Objects: 1, Missing: 2, Differences: 1}, "gone": {}}
	if diff := cmp.Diff(want, answer.Streams, cmpopts.IgnoreUnexported(verifier.Result{})); diff != "" {
		t.Errorf("results differ (-want +got):\n%s", diff)
	}
}
