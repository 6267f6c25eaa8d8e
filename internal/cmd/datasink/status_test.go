package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/rig/redistest"
	"github.com/redis/go-redis/v9"
)

// mark is what the table of status shows behind the name of a stream.
var mark = regexp.MustCompile(`\([a-z, ]+\)`)

// row returns the cells of a stream in the table of status.
func row(t *testing.T, table, name string) []string {
	t.Helper()
	for line := range strings.Lines(table) {
		if cells := strings.Fields(mark.ReplaceAllString(line, "")); len(cells) > 0 && cells[0] == name {
			return cells[1:]
		}
	}
	t.Fatalf("no row of %s in:\n%s", name, table)
	return nil
}

// table runs status, which may fail, and returns what it printed.
func (d *dev) table(t *testing.T, want int) string {
	t.Helper()
	r := d.operate(t, "", "status", "--interval=100ms")
	if r.code != want {
		t.Fatalf("status: exit code %d, want %d:\n%s%s", r.code, want, r.out, r.err)
	}
	return r.out
}

func TestStatusTellsUnknownFromNone(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	d := start(t, t.TempDir(), "--redis-url="+server.URL)
	d.operate(t, "a record", "send", "orders").done(t)
	d.await(t, "orders", 1)
	d.giveUp(t, "orders", "claim", "one", "two", "three")

	healthy := d.table(t, 0)
	orders := row(t, healthy, "orders")
	if got := strings.Join(orders[:9], " "); !strings.HasPrefix(got, "0 - ") || !strings.HasSuffix(got, " 0 (0) 0s 0s 0") {
		t.Errorf("orders is %q, want empty queues and no direct records", got)
	}
	if orders[9] != "3" || orders[11] != "ago" {
		t.Errorf("orders is %q, want 3 dead letters and the age of an object", orders)
	}
	if got := strings.Join(row(t, healthy, "page-views"), " "); got != "0 - 0.0 0.0 0 (0) 0s 0s 0 0 -" {
		t.Errorf("page-views is %q, want nothing", got)
	}
	if total := row(t, healthy, "total"); total[9] != "3" {
		t.Errorf("the total is %q, want 3 dead letters", total)
	}

	server.Kill()
	if ok, err := d.post(t.Context(), http.DefaultClient, "around Redis"); !ok || err != nil {
		t.Fatalf("post = %v, %v, want it accepted", ok, err)
	}
	down := d.table(t, 1)
	orders = row(t, down, "orders")
	if got := strings.Join(orders[:5], " "); got != "? ? ? ? ?" {
		t.Errorf("without Redis the queue of orders is %q, want it unknown", got)
	}
	if orders[7] != "1" || orders[8] != "3" || orders[10] != "ago" {
		t.Errorf("without Redis orders is %q, want 1 direct record, 3 dead letters and an object", orders)
	}
	if !strings.Contains(down, "The drainer cannot read the queues") || !strings.Contains(down, "New records wait in the queue too or, if Redis is unreachable, go to the archive") {
		t.Errorf("status does not say what is down and what happens:\n%s", down)
	}
	r := d.operate(t, "", "status", "--interval=100ms", "--json")
	for _, s := range decoded[[]map[string]any](t, r) {
		if _, known := s["queued"]; known || s["deadLetters"] == nil {
			t.Errorf("without Redis --json has %v, want no queue but dead letters", s)
		}
	}
	if !strings.Contains(r.err, "The drainer cannot read the queues") {
		t.Errorf("status --json does not say on standard error what is down: %s", r.err)
	}
}

func TestStatusOfAPipelineThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir())
	path := filepath.Join(d.data, "endpoints.json")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = d.cmd.Process.Kill() // It leaves its file behind.
	<-d.ended
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	out := d.table(t, 1)
	if !strings.Contains(out, "Nothing accepts records: the local pipeline does not answer") || !strings.Contains(out, path) {
		t.Errorf("status printed:\n%s", out)
	}
}

func TestStatusWithoutAnArchivePort(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir(), "--s3-addr=")
	out := d.table(t, 1)
	if got := strings.Join(row(t, out, "orders"), " "); got != "0 - 0.0 0.0 0 (0) 0s 0s ? ? ?" {
		t.Errorf("orders is %q, want an unknown archive", got)
	}
	if !strings.Contains(out, "The archive is unknown") {
		t.Errorf("status printed:\n%s", out)
	}
}

// A key of a wrong type hides the queue of one stream, not its objects and not the others.
func TestStatusOfAQueueThatCannotBeRead(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	d := start(t, t.TempDir(), "--redis-url="+server.URL)
	options, err := redis.ParseURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	if err := client.Set(t.Context(), "datasink:{orders}:queue", "a string", 0).Err(); err != nil {
		t.Fatal(err)
	}
	d.operate(t, "a direct record", "send", "orders").done(t)
	out := d.table(t, 1)
	if got := strings.Join(row(t, out, "orders")[:5], " "); got != "? ? ? ? ?" {
		t.Errorf("the queue of orders is %q, want it unknown", got)
	}
	if got := row(t, out, "orders"); got[7] != "1" || got[len(got)-1] != "ago" {
		t.Errorf("orders is %q, want 1 direct record and the age of an object", got)
	}
	if got := row(t, out, "page-views"); got[0] != "0" {
		t.Errorf("page-views is %q, want an empty queue", got)
	}
	if got := row(t, out, "total"); got[0] != "?" {
		t.Errorf("the total is %q, want it unknown", got)
	}
	if !strings.Contains(out, "The queue of orders cannot be read") {
		t.Errorf("status does not name the stream:\n%s", out)
	}
	r := d.operate(t, "", "verify", "--stream=orders")
	if r.code != 1 || !strings.Contains(r.out, "  equal, but the queue is unknown\n") || !strings.Contains(r.err, "inspecting the queue of orders") {
		t.Errorf("verify: exit code %d, and it wrote:\n%s%s", r.code, r.out, r.err)
	}
}

// An object of dead letters or a marker that is damaged hides nothing else.
func TestStatusOfDeadLettersThatCannotBeRead(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir())
	marked := d.giveUp(t, "orders", "marked", "one", "two")
	damaged := d.giveUp(t, "page-views", "damaged", "one", "two")
	d.giveUp(t, "gone", "whole", "one", "two")
	for _, key := range []string{"_redriven/" + marked, damaged} {
		path := filepath.Join(d.data, "archive", filepath.FromSlash(key))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("not JSON"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := d.table(t, 0)
	for name, want := range map[string]string{"orders": "1+", "page-views": "1+"} {
		if got := row(t, out, name)[9]; got != want {
			t.Errorf("%s has %s dead letters, want %s", name, got, want)
		}
	}
	if got := row(t, out, "gone"); got[0] != "*" || got[10] != "2" {
		t.Errorf("gone is %q, want an unknown stream with 2 dead letters", got)
	}
}

func TestStatusMarksStreams(t *testing.T) {
	t.Parallel()
	streams := filepath.Join(t.TempDir(), "streams.json")
	content := `{"streams": [{"name": "open"}, {"name": "old", "retired": true, "tap": false}, {"name": "direct", "tap": false}, {"name": "changing", "tap": "ending"}]}`
	if err := os.WriteFile(streams, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	d := start(t, t.TempDir(), "--streams="+streams)
	out := d.table(t, 0)
	for _, want := range []string{"\nchanging (tap ending)  0 ", "\ndirect (no tap) ", "\nold (retired, no tap) ", "\nopen   "} {
		if !strings.Contains(out, want) {
			t.Errorf("status prints no %q:\n%s", want, out)
		}
	}
	for _, s := range decoded[[]struct {
		Stream  string
		Retired bool
	}](t, d.operate(t, "", "status", "--interval=100ms", "--json")) {
		if s.Retired != (s.Stream == "old") {
			t.Errorf("the JSON of %s says retired: %v", s.Stream, s.Retired)
		}
	}
}

func TestStatusShowsWhatFirehoseHolds(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir(), "--flush=1h")
	d.operate(t, "a record", "send", "orders").done(t)
	waitFor(t, "the record in the Firehose", func() bool {
		for _, s := range decoded[[]struct {
			Stream                                     string
			BridgeLagSeconds, FirehoseFreshnessSeconds *float64
		}](t, d.operate(t, "", "status", "--json", "--interval=100ms")) {
			if s.BridgeLagSeconds == nil || s.FirehoseFreshnessSeconds == nil {
				t.Fatalf("the lags of %s are unknown", s.Stream)
			}
			if s.Stream == "orders" && *s.BridgeLagSeconds == 0 && *s.FirehoseFreshnessSeconds > 0 {
				return true
			}
		}
		return false
	})
}

func TestStatusTellsOfLostRecords(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	d := start(t, t.TempDir(), "--redis-url="+server.URL)
	d.operate(t, "a record", "send", "orders").done(t)
	d.await(t, "orders", 1)
	if out := d.table(t, 0); strings.Contains(out, "lost") {
		t.Errorf("status of a stream without losses:\n%s", out)
	}
	admin := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer func() { _ = admin.Close() }()
	keys, err := admin.Keys(t.Context(), "*:{orders}:stats").Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("counters of orders: %q, %v", keys, err)
	}
	_, err = admin.TxPipelined(t.Context(), func(pipe redis.Pipeliner) error {
		pipe.HIncrBy(t.Context(), keys[0], "accepted", 3)
		pipe.HIncrBy(t.Context(), keys[0], "lost", 3)
		pipe.HSet(t.Context(), keys[0], "lostAt", 1_700_000_000_000)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if out := d.table(t, 0); strings.Count(out, "Redis has lost 3 accepted records of orders in total, the last ones found at 2023-11-14 22:13:20 UTC.") != 1 {
		t.Errorf("status does not name the lost records of orders once:\n%s", out)
	}
}
