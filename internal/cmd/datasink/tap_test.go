package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The verbs on a stream without a tap and on a stream whose tap is ending.
func TestVerbsOfStreamsThatFeedNoTap(t *testing.T) {
	t.Parallel()
	streams := filepath.Join(t.TempDir(), "streams.json")
	if err := os.WriteFile(streams, []byte(`{"streams": [{"name": "orders"}, {"name": "audit", "tap": false}, {"name": "clicks", "tap": "ending"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	d := start(t, t.TempDir(), "--streams="+streams)
	for _, name := range []string{"orders", "audit", "clicks"} {
		d.operate(t, lines(20), "send", name, "--ndjson").done(t)
		d.await(t, name, 20)
	}

	for name, want := range map[string]string{"audit": `"tap": false`, "clicks": `"tap": "ending"`} {
		r := d.operate(t, "", "tail", name)
		if r.code != 1 || !strings.Contains(r.err, "there is nothing to tail") || !strings.Contains(r.err, want) {
			t.Errorf("tail %s: exit code %d, %q, want the reason", name, r.code, r.err)
		}
	}
	r := d.operate(t, "", "tail", "clicks", "--since=1h", "--until=now")
	if r.done(t) != "" || !strings.Contains(r.err, "is ending") {
		t.Errorf("tail clicks --since: %q, %q, want no record and a warning", r.out, r.err)
	}

	var reports []struct {
		Stream                     string
		Tap                        *struct{ Records int }
		Bridged, Drained, Archived struct{ Records int }
		Findings                   []any
	}
	text := d.operate(t, "", "verify", "--tap", "--json", "--streams="+streams).done(t)
	if err := json.Unmarshal([]byte(text), &reports); err != nil || len(reports) != 3 {
		t.Fatalf("verify printed %s: %v", text, err)
	}
	for _, r := range reports {
		bridged, drained := 20, 0
		if r.Stream != "orders" {
			bridged, drained = 0, 20
		}
		got, want := [3]int{r.Bridged.Records, r.Drained.Records, r.Archived.Records}, [3]int{bridged, drained, 20}
		if got != want || len(r.Findings) > 0 {
			t.Errorf("verify of %s: %v bridged, drained, archived, want %v; findings %v", r.Stream, got, want, r.Findings)
		}
		if hasTap := r.Stream != "audit"; (r.Tap != nil) != hasTap {
			t.Errorf("verify of %s has a tap: %v, want %v", r.Stream, r.Tap != nil, hasTap)
		}
	}
	if text := d.operate(t, "", "verify", "--stream=audit", "--streams="+streams).done(t); !strings.Contains(text, "drainer  20 records") || strings.Contains(text, "bridge") {
		t.Errorf("verify of audit printed:\n%s", text)
	}

	waitFor(t, "the tap of clicks to be empty", func() bool {
		return strings.Contains(d.table(t, 0), `The tap of clicks is ending and is empty: set "tap" to false and deploy.`)
	})
	table := d.table(t, 0)
	for name, bridge := range map[string]string{"orders": "0s", "audit": "-", "clicks": "0s"} {
		if got := row(t, table, name); got[6] != bridge {
			t.Errorf("row of %s is %q, want the bridge %q", name, got, bridge)
		}
	}
}

func TestStreamsAddWithoutATap(t *testing.T) {
	t.Parallel()
	streams := filepath.Join(t.TempDir(), "streams.json")
	if err := os.WriteFile(streams, []byte(`{"streams": [{"name": "orders"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	out := finish(t, command(t, "streams", "add", "audit", "--no-tap", "--streams="+streams)).done(t)
	if strings.Contains(out, "Kinesis") || strings.Contains(out, "mapping") || !strings.Contains(out, "Firehose stream") {
		t.Errorf("streams add printed resources of a tap:\n%s", out)
	}
	content, err := os.ReadFile(streams)
	if want := `{"streams": [{"name": "orders"}, {"name": "audit", "tap": false}]}`; err != nil || string(content) != want {
		t.Errorf("streams.json is %s, %v, want %s", content, err, want)
	}
	if out := finish(t, command(t, "streams", "ls", "--streams="+streams)).done(t); !strings.Contains(out, "no tap") {
		t.Errorf("streams ls printed:\n%s", out)
	}
	if r := finish(t, command(t, "streams", "add", "more", "--no-tap", "--shards=2", "--streams="+streams)); r.code == 0 || !strings.Contains(r.err, "shards: not valid with tap false") {
		t.Errorf("streams add with shards but no tap: exit code %d, %q", r.code, r.err)
	}
}
