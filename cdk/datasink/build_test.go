package datasink

import (
	"bytes"
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// module writes a Go module with small functions, so that the build is tested without
// the dependencies of the real ones.
func module(t *testing.T, source string) string {
	t.Helper()
	root := t.TempDir()
	write(t, filepath.Join(root, "go.mod"), "module example.com/functions\n\ngo 1.26.0\n")
	for _, f := range functions {
		write(t, filepath.Join(root, "functions", f, "main.go"), source)
	}
	return root
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

const program = `package main

import "runtime/debug"

func main() {
	info, _ := debug.ReadBuildInfo()
	println(info.String())
}
`

func TestFunctionsAreBuiltReproduciblyForTheirArchitecture(t *testing.T) {
	for architecture, machine := range map[string]elf.Machine{"arm64": elf.EM_AARCH64, "x86_64": elf.EM_X86_64} {
		first, second := t.TempDir(), t.TempDir()
		for _, into := range []string{first, second} {
			if err := compile(module(t, program), into, architecture); err != nil {
				t.Fatal(err)
			}
		}
		for _, f := range functions {
			path := filepath.Join(first, f, "bootstrap")
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != 0o755 {
				t.Errorf("%s: mode %v, want 0755", path, info.Mode())
			}
			binary, err := elf.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			if binary.Machine != machine || binary.Section(".interp") != nil {
				t.Errorf("%s: machine %v, want a static one for %v", f, binary.Machine, machine)
			}
			binary.Close()
			if !bytes.Equal(readFile(t, path), readFile(t, filepath.Join(second, f, "bootstrap"))) {
				t.Errorf("%s: two builds in two folders differ", f)
			}
		}
	}
}

func TestACompilerErrorStopsTheSynthesis(t *testing.T) {
	err := compile(module(t, "package main\n\nfunc main() { nonsense }\n"), t.TempDir(), "arm64")
	if err == nil || !strings.Contains(err.Error(), "undefined: nonsense") {
		t.Errorf("compile = %v, want the compiler's error", err)
	}
}

func TestEveryFunctionHasItsProgram(t *testing.T) {
	for _, f := range functions {
		if _, err := os.Stat(filepath.Join("..", "..", "functions", f, "main.go")); err != nil {
			t.Error(err)
		}
	}
	entries, err := os.ReadDir("../../functions")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(functions) {
		t.Errorf("functions/ has %d entries, the stack %d functions", len(entries), len(functions))
	}
}

func TestTheFormOfTheFileDoesNotChangeTheAssets(t *testing.T) {
	one := streamsAsset(t, fourStreams)
	other := streamsAsset(t, `{"$schema": "x", "streams": [{"format": "raw", "name": "legacy"}, {"name":"views","bufferMiB":128,"bufferSeconds":300,"capacity":"on-demand"},
		{"name":"audit","retentionHours":72,"shards":4}, {"name":"orders","shards":1}]}`)
	if diff := cmp.Diff(one, other); diff != "" {
		t.Errorf("the assets differ (-one +other):\n%s", diff)
	}
	want := mustParse(t, fourStreams)
	got := mustParse(t, one)
	for _, name := range want.Names() {
		w, _ := want.Lookup(name)
		g, _ := got.Lookup(name)
		if diff := cmp.Diff(w, g); diff != "" {
			t.Errorf("the functions read %s differently (-want +got):\n%s", name, diff)
		}
	}
}

func streamsAsset(t *testing.T, streams string) string {
	t.Helper()
	return string(readFile(t, filepath.Join(stubs(t, mustParse(t, streams)), "ingest", "streams.json")))
}

func mustParse(t *testing.T, streams string) *stream.Set {
	t.Helper()
	set, err := stream.Parse([]byte(streams))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
