package main_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/rig/s3test"
)

// streamStatus is what the tests want of a line of status.
type streamStatus struct {
	Stream       string
	Orphan       bool
	Queued       int
	DeadLetters  int
	LastObject   string
	LastObjectAt time.Time
}

func (d *dev) status(t *testing.T, name string) streamStatus {
	t.Helper()
	for _, s := range decoded[[]streamStatus](t, d.operate(t, "", "status", "--json", "--interval=100ms")) {
		if s.Stream == name {
			return s
		}
	}
	t.Fatalf("status has no line of %s", name)
	return streamStatus{}
}

// report is what the tests want of a report of verify.
type report struct {
	Stream                         string
	Queue                          struct{ Accepted, Forwarded int }
	Tap, Bridged, Archived, Direct struct{ Records int }
	InFlight                       struct{ Records int }
	Findings                       []struct{ Kind, Hop, Object, Detail string }
}

func TestTenThousandRecordsAgreeAtEveryHop(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir())
	const n = 10_000
	input := filepath.Join(t.TempDir(), "in.ndjson")
	if err := os.WriteFile(input, []byte(lines(n)), 0o600); err != nil {
		t.Fatal(err)
	}
	sent := d.operate(t, "", "send", "orders", "--ndjson", "--progress=always", input)
	if !strings.Contains(sent.done(t), "sent 10000 records") || !strings.Contains(sent.err, "10000 records") {
		t.Errorf("send wrote %q and %q, want the count and a progress bar", sent.out, sent.err)
	}
	if archived := d.await(t, "orders", n); !slices.Equal(sorted(archived), sorted(lines(n))) {
		t.Errorf("%d lines are archived, want those sent", strings.Count(archived, "\n"))
	}
	tail := d.operate(t, "", "tail", "orders", "--since=1h", "--until=now").done(t)
	if !slices.Equal(sorted(tail), sorted(lines(n))) {
		t.Errorf("tail printed %d lines, want those sent", strings.Count(tail, "\n"))
	}
	s := d.status(t, "orders")
	if s.Queued != 0 || s.DeadLetters != 0 {
		t.Errorf("status is %+v, want an empty queue and no dead letters", s)
	}
	if !strings.HasPrefix(s.LastObject, "orders/dt=") || time.Since(s.LastObjectAt) > time.Minute {
		t.Errorf("status is %+v, want a new object of orders", s)
	}
	table := d.operate(t, "", "status", "--interval=100ms").done(t)
	if !strings.Contains(table, "STREAM") || !strings.Contains(table, "page-views") {
		t.Errorf("status printed:\n%s", table)
	}
	equal := d.operate(t, "", "verify", "--stream=orders", "--tap", "--json")
	equal.done(t)
	r := decoded[[]report](t, equal)[0]
	for hop, records := range map[string]int{
		"queue": r.Queue.Accepted, "drainer": r.Queue.Forwarded, "tap": r.Tap.Records, "bridge": r.Bridged.Records, "archive": r.Archived.Records,
	} {
		if records != n {
			t.Errorf("%s has %d records, want %d", hop, records, n)
		}
	}
	if text := d.operate(t, "", "verify").done(t); strings.Count(text, "  equal\n") != 4 {
		t.Errorf("verify printed:\n%s", text)
	}
}

func TestVerifyFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir())
	for _, body := range []string{"first", "second", "third"} {
		d.operate(t, body, "send", "orders").done(t)
		d.await(t, "orders", len(d.objects(t, "orders"))+1)
	}
	paths := d.objects(t, "orders")
	hit := paths[len(paths)/2]
	stored, err := os.ReadFile(hit)
	if err != nil {
		t.Fatal(err)
	}
	write := func(path string, content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		fault, kind, object string
		make, undo          func()
	}{
		{
			"a deleted object", "missing", "",
			func() { _ = os.Remove(hit) }, func() { write(hit, stored) },
		},
		{
			"a changed byte", "changed", filepath.Base(hit),
			func() { write(hit, []byte(s3test.Gzip(t, strings.ToUpper(unpacked(t, hit))))) }, func() { write(hit, stored) },
		},
		{
			"an object delivered twice", "twice", "again.gz",
			func() { write(filepath.Join(filepath.Dir(hit), "zzz-again.gz"), stored) },
			func() { _ = os.Remove(filepath.Join(filepath.Dir(hit), "zzz-again.gz")) },
		},
		{"nothing", "", "", func() {}, func() {}},
	} {
		tt.make()
		ran := d.operate(t, "", "verify", "--stream=orders", "--settle=1ms", "--json")
		r := decoded[[]report](t, ran)[0]
		tt.undo()
		if tt.kind == "" {
			if ran.code != 0 || len(r.Findings) != 0 {
				t.Errorf("%s: exit code %d, findings %+v", tt.fault, ran.code, r.Findings)
			}
			continue
		}
		if ran.code != 3 || len(r.Findings) != 1 {
			t.Errorf("%s: exit code %d, findings %+v, want 3 and one finding", tt.fault, ran.code, r.Findings)
			continue
		}
		if f := r.Findings[0]; f.Kind != tt.kind || f.Hop != "archive" || !strings.Contains(f.Object+" "+f.Detail, tt.object) {
			t.Errorf("%s: finding %+v, want %s at the archive in %q", tt.fault, f, tt.kind, tt.object)
		}
	}
	over := time.Now().UTC().Truncate(time.Hour).Add(-2 * time.Hour)
	d.operate(t, "", "verify", "--stream=orders", "--manifest", "--from="+over.Format(time.RFC3339), "--to="+over.Add(time.Hour).Format(time.RFC3339)).done(t)
	manifest, err := os.ReadFile(filepath.Join(d.data, "archive", filepath.FromSlash(over.Format("_manifests/orders/dt=2006-01-02/hour=15.json"))))
	if err != nil || !strings.Contains(string(manifest), `"entries":[]`) {
		t.Errorf("the manifest of an hour without objects is %s, %v", manifest, err)
	}
	unknown := d.operate(t, "", "verify", "--stream=order")
	const streams = `no stream "order" in this deployment; its streams are: dispatcher-decisions, legacy-archives, orders, page-views`
	if unknown.code != 1 || !strings.Contains(unknown.err, streams) {
		t.Errorf("verify of an unknown stream: exit code %d, and it wrote %q, want %q", unknown.code, unknown.err, streams)
	}
	_ = os.Remove(hit)
	ran := d.operate(t, "", "verify", "--stream=orders", "--settle=1ms")
	if ran.code != 3 || !strings.Contains(ran.out, "missing at the archive") {
		t.Errorf("exit code %d, and it printed:\n%s", ran.code, ran.out)
	}
}
