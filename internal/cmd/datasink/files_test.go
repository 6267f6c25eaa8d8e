package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStreamsAddEditsTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "streams.json")
	const before = "{\n  \"streams\": [\n    {\"name\": \"orders\"}\n  ]\n}\n"
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	content := func() string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	dry := finish(t, command(t, "streams", "add", "page-views", "--shards=2", "--dry-run", "--streams="+path)).done(t)
	if !strings.Contains(dry, "datasink.page-views") || !strings.Contains(dry, "2 shards, 2000 records/s") || content() != before {
		t.Errorf("the dry run printed:\n%s", dry)
	}
	r := finish(t, command(t, "streams", "add", "page-views", "--capacity=on-demand", "--streams="+path, "--json"))
	if s := decoded[struct {
		Name, Capacity string
		BufferSeconds  int
	}](t, r); s.Name != "page-views" || s.Capacity != "on-demand" || s.BufferSeconds != 60 {
		t.Errorf("streams add printed %+v", s)
	}
	const after = "{\n  \"streams\": [\n    {\"name\": \"orders\"},\n    {\"name\": \"page-views\", \"capacity\": \"on-demand\"}\n  ]\n}\n"
	if content() != after {
		t.Errorf("the file is now:\n%s", content())
	}
	for args, want := range map[string]string{"orders": "also the name of streams[0]", "x --shards=501": "want 1 to 500", "UPPER": "want ^[a-z0-9]"} {
		r := finish(t, command(t, append([]string{"streams", "add", "--streams=" + path}, strings.Fields(args)...)...))
		if r.code != 2 || !strings.Contains(r.err, want) || content() != after {
			t.Errorf("streams add %s: exit code %d and %s", args, r.code, r.err)
		}
	}
}

func TestStreamsAreListedAndRetired(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "streams.json")
	if err := os.WriteFile(path, []byte(`{"streams": [{"name": "b", "capacity": "on-demand"}, {"name": "a"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	streams := func(args ...string) ran {
		return finish(t, command(t, append(append([]string{"streams"}, args...), "--streams="+path)...))
	}
	if got := strings.Join(row(t, streams("ls").done(t), "a"), " "); got != "active lines 1 shard 24 h 60 s, 64 MiB gzip" {
		t.Errorf("a is %q", got)
	}
	streams("retire", "a").done(t)
	if got := strings.Join(row(t, streams("ls").done(t), "a"), " "); !strings.HasPrefix(got, "retired ") {
		t.Errorf("after streams retire a is %q", got)
	}
	type entry struct {
		Name    string
		Retired bool
	}
	if diff := cmp.Diff([]entry{{"b", false}, {"a", true}}, decoded[[]entry](t, streams("ls", "--json"))); diff != "" {
		t.Errorf("streams ls --json differs (-want +got):\n%s", diff)
	}
	for _, name := range []string{"a", "c"} {
		if r := streams("retire", name); r.code != 2 || !strings.Contains(r.err, name+": ") {
			t.Errorf("streams retire %s: exit code %d and %s", name, r.code, r.err)
		}
	}
}

func TestCompletionCompletesInBash(t *testing.T) {
	t.Parallel()
	script := finish(t, command(t, "completion", "bash")).done(t)
	dir := t.TempDir() // with the streams to complete
	if err := os.WriteFile(filepath.Join(dir, "streams.json"), []byte(`{"streams": [{"name": "orders"}, {"name": "page-views"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		words []string
		want  string
	}{
		{[]string{"datasink", "fai"}, "failed"},
		{[]string{"datasink", "failed", "re"}, "redrive"},
		{[]string{"datasink", "failed", "redrive", "--dry"}, "--dry-run"},
		{[]string{"datasink", "failed", "redrive", "--progress", "al"}, "always"},
		{[]string{"datasink", "send", "--progress", "=", "ne"}, "never"},
		{[]string{"datasink", "completion", "f"}, "fish"},
		{[]string{"datasink", "tail", "orders", "--si"}, "--since"},
		{[]string{"datasink", "tail", "page"}, "page-views"},
		{[]string{"datasink", "streams", "retire", "ord"}, "orders"},
		{[]string{"datasink", "verify", "--stream", "page"}, "page-views"},
		{[]string{"datasink", "replay", "--into", "ord"}, "orders"},
		{[]string{"datasink", "verify", "--stream", "failed", "--man"}, "--manifest"},
		{[]string{"datasink", "credentials", "add", "checkout", "--streams", "page-views,o"}, "page-views,orders"},
		{[]string{"datasink", "comple"}, "completion"},
	} {
		var quoted []string
		for _, w := range tt.words {
			quoted = append(quoted, "'"+w+"'")
		}
		bash := exec.CommandContext(t.Context(), "bash", "-c", script+"COMP_WORDS=("+strings.Join(quoted, " ")+fmt.Sprintf("); COMP_CWORD=%d; _datasink; echo \"${COMPREPLY[*]}\"", len(tt.words)-1))
		bash.Dir, bash.Env = dir, append(os.Environ(), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
		out, err := bash.CombinedOutput()
		if err != nil {
			t.Fatalf("bash, which this test needs: %v: %s", err, out)
		}
		if got := strings.TrimSpace(string(out)); got != tt.want {
			t.Errorf("%q completes to %q, want %q", tt.words, got, tt.want)
		}
	}
	if got := finish(t, command(t, "complete", "--", "failed", "red")).done(t); got != "redrive\tSend dead letters through the API again.\n" {
		t.Errorf("a shell that shows descriptions gets %q", got)
	}
	if r := finish(t, command(t, "completion", "tcsh")); r.code != 2 {
		t.Errorf("completion of another shell: exit code %d", r.code)
	}
}
