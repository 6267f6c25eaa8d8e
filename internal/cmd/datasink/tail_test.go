package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestTailContinuesAtPositions reads a stream in three parts. Between the second and
// the third the stream gets another number of shards.
func TestTailContinuesAtPositions(t *testing.T) {
	t.Parallel()
	file, data := filepath.Join(t.TempDir(), "streams.json"), t.TempDir()
	write := func(shards int) {
		if err := os.WriteFile(file, fmt.Appendf(nil, `{"streams":[{"name":"orders","shards":%d}]}`, shards), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(2)
	d := start(t, data, "--streams="+file)
	positions, got := make(map[string]string), []string{}
	tail := func(limit int) {
		t.Helper()
		args := []string{"tail", "orders", "--json", "--since=1h", fmt.Sprint("--limit=", limit)}
		for shard, sequence := range positions {
			args = append(args, "--from-position="+shard+":"+sequence)
		}
		for line := range strings.Lines(d.operate(t, "", args...).done(t)) {
			var r struct{ Shard, Sequence, Body string }
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			positions[r.Shard] = r.Sequence
			got = append(got, r.Body)
		}
	}
	d.operate(t, "a\nb\nc\nd\ne\nf\n", "send", "orders", "--ndjson", "--batch=1").done(t)
	tail(2)
	tail(4)

	d.signal(t, syscall.SIGTERM)
	d.exit(t)
	write(3)
	d = start(t, data, "--streams="+file)
	d.operate(t, "g\nh\ni\nj\nk\nl\n", "send", "orders", "--ndjson", "--batch=1").done(t)
	tail(6)
	slices.Sort(got)
	if all := strings.Join(got, ""); all != "abcdefghijkl" {
		t.Errorf("tail printed %q in all, want each record once", all)
	}
	for _, args := range []string{"--from-position=shardId-0", "--from-position=:1", "--from-position=s:x", "--from-position=s:1 --from-position=s:2"} {
		if r := d.operate(t, "", append([]string{"tail", "orders"}, strings.Fields(args)...)...); r.code != 2 || !strings.Contains(r.err, "--from-position") {
			t.Errorf("tail %s: exit code %d and %q", args, r.code, r.err)
		}
	}
}
