package main_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/rig/redistest"
)

func TestLogsOfTheLocalPipeline(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	d := start(t, t.TempDir(), "--redis-url="+server.URL)
	follow := command(t, "logs", "--follow", "--interval=100ms", "--data="+d.data)
	var followed text
	follow.Stdout = &followed
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	if ok, err := d.post(t.Context(), http.DefaultClient, "a secret body"); !ok || err != nil {
		t.Fatalf("post = %v, %v, want it accepted", ok, err)
	}
	waitFor(t, "the line of a direct record", func() bool { return strings.Contains(followed.String(), "record_archived") })
	if err := follow.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := follow.Wait(); err != nil {
		t.Errorf("logs --follow ended with %v", err)
	}
	if n := strings.Count(followed.String(), "record_archived"); n != 1 {
		t.Errorf("logs --follow printed the line %d times:\n%s", n, followed.String())
	}

	ingest := d.operate(t, "", "logs", "ingest", "--stream=orders").done(t)
	for _, want := range []string{" ingest  ", "record_archived", " stream=orders", " reason=fallback"} {
		if !strings.Contains(ingest, want) {
			t.Errorf("logs ingest lacks %q:\n%s", want, ingest)
		}
	}
	if strings.Contains(ingest, "secret body") || strings.Contains(ingest, "drainer") {
		t.Errorf("logs ingest has a body or lines of another function:\n%s", ingest)
	}
	if other := d.operate(t, "", "logs", "ingest", "--stream=page-views"); other.done(t) != "" || !strings.Contains(other.err, "no lines since ") {
		t.Errorf("logs of another stream:\n%s%s", other.out, other.err)
	}
	if old := d.operate(t, "", "logs", "--since=now").done(t); strings.Contains(old, "record_archived") {
		t.Errorf("logs --since=now has an old line:\n%s", old)
	}
	raw := d.operate(t, "", "logs", "ingest", "--stream=orders", "--json")
	if line := decoded[struct{ Function, Stream string }](t, raw); line.Function != "ingest" || line.Stream != "orders" {
		t.Errorf("logs --json printed %s", raw.out)
	}
}
