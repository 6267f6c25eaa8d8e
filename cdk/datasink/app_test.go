package datasink

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestStreamsAreFoundFromTheRoot(t *testing.T) {
	root, err := findRoot(mustAbs(t, "."))
	if err != nil {
		t.Fatal(err)
	}
	if want := mustAbs(t, "../.."); root != want {
		t.Errorf("findRoot = %s, want %s", root, want)
	}
	if _, err := findRoot(t.TempDir()); err == nil {
		t.Error("findRoot outside of a module found one")
	}
	none := func(string) string { return "" }
	d, err := load(nil, root, none)
	if err != nil || len(d.streams.Names()) == 0 {
		t.Errorf("load = %v, %v, want the repository's streams", d.streams, err)
	}
	for _, path := range []string{"none.json", filepath.Join(t.TempDir(), "none.json")} {
		if _, err := load(map[string]any{"streams": path}, root, none); err == nil || !strings.Contains(err.Error(), "none.json") {
			t.Errorf("load with streams %s = %v, want an error that names the file", path, err)
		}
	}
	if _, err := load(map[string]any{"vpcId": "vpc-01234567"}, root, none); err == nil || !strings.Contains(err.Error(), "vpcId: ") {
		t.Errorf("load of a VPC without credentials = %v, want an error that names vpcId", err)
	}
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}
