// Package internal_test holds the rules of the source tree.
package internal_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/data-sink/data-sink/"

// pkg is a package of this module as `go list` describes it: paths are relative to
// the module, and the imports of tests are left out.
type pkg struct {
	ImportPath    string
	Imports, Deps []string
}

// list returns all packages of this module.
func list(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module)
		all = append(all, p)
	}
}

// rule says what the packages of a prefix may import, by prefixes.
type rule struct {
	prefix string
	may    []string
}

// wings lists, for each wing of the tree, the packages of this module that its
// packages may depend on, directly or through others. The first wing whose
// prefix a package has is the wing of that package.
var wings = []rule{
	{"functions/verifier", []string{"internal/pipeline/", "internal/operate/verifier", "internal/operate/verify", "internal/operate/bucket", "internal/operate/manifest", "internal/operate/remote", "internal/operate/tap"}},
	{"functions/", []string{"internal/pipeline/"}},
	{"cdk", []string{"cdk/datasink", "internal/pipeline/stream", "internal/pipeline/env", "internal/pipeline/metric", "internal/pipeline/settings"}},
	{"internal/pipeline/", []string{"internal/pipeline/"}},
	{"internal/operate/", []string{"internal/pipeline/", "internal/operate/", "internal/local/endpoints"}},
	{"internal/local", []string{"internal/pipeline/", "internal/local"}},
	{"internal/cmd/", []string{"internal/pipeline/", "internal/operate/", "internal/local"}},
	{"internal/rig/", []string{"internal/", "functions/"}},
}

func TestEachWingImportsOnlyWhatItMay(t *testing.T) {
	t.Parallel()
	used := make(map[string]bool)
	for _, p := range list(t) {
		if p.ImportPath == "internal" { // only these tests
			continue
		}
		i := slices.IndexFunc(wings, func(w rule) bool { return strings.HasPrefix(p.ImportPath, w.prefix) })
		if i < 0 {
			t.Errorf("%s belongs to no wing", p.ImportPath)
			continue
		}
		used[wings[i].prefix] = true
		for _, dep := range p.Deps {
			dep, ours := strings.CutPrefix(dep, module)
			if ours && !hasAnyPrefix(dep, wings[i].may) {
				t.Errorf("%s depends on %s; packages of %s may depend on %s", p.ImportPath, dep, wings[i].prefix, strings.Join(wings[i].may, ", "))
			}
		}
	}
	for _, w := range wings {
		if !used[w.prefix] {
			t.Errorf("no package belongs to the wing %s", w.prefix)
		}
	}
}

// clients lists who may import the client of a vendor. The rules are about the
// product: the packages of rig are exempt, except from the rule about the CDK.
var clients = []struct {
	vendor string // a regular expression on import paths
	may    []string
}{
	{`^github\.com/aws/(aws-cdk-go|constructs-go|jsii-runtime-go)/`, []string{"cdk"}},
	{`^github\.com/redis/`, []string{"internal/pipeline/queue"}},
	{`/service/kinesis(/|$)`, []string{"functions/drainer", "internal/pipeline/sink", "internal/operate/tap"}},
	{`/service/firehose(/|$)`, []string{"functions/bridge", "functions/drainer", "internal/pipeline/sink"}},
	{`/service/sqs(/|$)`, []string{"functions/", "internal/pipeline/wake"}},
	{`/service/s3(/|$)`, []string{"functions/", "internal/pipeline/archive", "internal/operate/bucket", "internal/operate/deployment"}},
	{`/service/secretsmanager(/|$)`, []string{"functions/", "internal/pipeline/function", "internal/operate/clients", "internal/operate/deployment"}},
	{`/service/(cloudformation|lambda)(/|$)`, []string{"functions/verifier", "internal/operate/deployment", "internal/operate/remote"}},
	{`/service/cloudwatch(/|$)`, []string{"internal/operate/deployment", "internal/operate/remote"}},
	{`/service/cloudwatchlogs(/|$)`, []string{"internal/operate/remote"}},
	{`^github\.com/alicebob/miniredis`, []string{"internal/local"}},
	{`^github\.com/(alecthomas/kong|vbauerster/mpb)`, []string{"internal/cmd/datasink"}},
}

func TestEachVendorsClientHasItsPackages(t *testing.T) {
	t.Parallel()
	packages := list(t)
	for i, c := range clients {
		vendor, used := regexp.MustCompile(c.vendor), false
		for _, p := range packages {
			if i > 0 && strings.HasPrefix(p.ImportPath, "internal/rig/") {
				continue
			}
			for _, imported := range p.Imports {
				if !vendor.MatchString(imported) {
					continue
				}
				used = true
				if !hasAnyPrefix(p.ImportPath, c.may) {
					t.Errorf("%s imports %s, which only %s may", p.ImportPath, imported, strings.Join(c.may, ", "))
				}
			}
		}
		if !used {
			t.Errorf("no package imports %s", c.vendor)
		}
	}
}

func hasAnyPrefix(s string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(s, prefix) })
}

// TestReadmeTreeIsTheFolders compares the tree in the root README with the folders
// that hold Go packages. A line of the tree names one or more folders, separated by
// commas, behind two spaces for each level; a phrase may follow behind two spaces.
func TestReadmeTreeIsTheFolders(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "<!-- tree -->\n```\n")
	tree, _, ended := strings.Cut(rest, "```\n<!-- /tree -->")
	if !found || !ended {
		t.Fatal("README.md has no code block between <!-- tree --> and <!-- /tree -->")
	}
	line := regexp.MustCompile(`^((?:  )*)([a-z0-9/]+(?:, [a-z0-9/]+)*)(?:  .*)?$`)
	var parents, named []string
	for text := range strings.Lines(tree) {
		m := line.FindStringSubmatch(strings.TrimRight(text, "\n"))
		if m == nil || len(m[1])/2 > len(parents) {
			t.Fatalf("not a line of the tree: %q", text)
		}
		parents = parents[:len(m[1])/2]
		for _, name := range strings.Split(m[2], ", ") {
			named = append(named, path.Join(append(slices.Clone(parents), name)...))
		}
		parents = append(parents, path.Clean(m[2]))
	}
	var folders []string
	for _, p := range list(t) {
		// Folders inside of a package, and of a command, are its own business.
		parts := strings.Split(p.ImportPath, "/")
		for depth := 1; depth <= min(len(parts), 3); depth++ {
			folders = append(folders, strings.Join(parts[:depth], "/"))
		}
	}
	slices.Sort(folders)
	slices.Sort(named)
	if diff := cmp.Diff(slices.Compact(folders), named); diff != "" {
		t.Errorf("the tree of README.md differs from the folders (-folders +README):\n%s", diff)
	}
}

// TestSizes holds the size of the root README and of each file of Go that is not a
// test.
func TestSizes(t *testing.T) {
	t.Parallel()
	lines := func(name string) []string {
		content, err := os.ReadFile("../" + name)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	}
	readme := lines("README.md")
	if len(readme) > 250 {
		t.Errorf("README.md has %d lines, want at most 250", len(readme))
	}
	for i, line := range readme {
		if n := utf8.RuneCountInString(line); n > 160 {
			t.Errorf("README.md:%d has %d characters, want at most 160", i+1, n)
		}
	}
	git := exec.Command("git", "ls-files", "*.go", ":!*_test.go")
	git.Dir = ".."
	out, err := git.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	for name := range strings.Lines(string(out)) {
		name = strings.TrimSpace(name)
		if n := len(lines(name)); n > 300 {
			t.Errorf("%s has %d lines, want at most 300", name, n)
		}
	}
}

// TestTopLevelIsTheDesigns holds what may lie at the top level.
func TestTopLevelIsTheDesigns(t *testing.T) {
	t.Parallel()
	git := exec.Command("git", "ls-files")
	git.Dir = ".."
	out, err := git.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	allowed := []string{"functions", "cdk", "internal", "streams.json", "go.mod", "go.sum", "Makefile", "README.md"}
	for name := range strings.Lines(string(out)) {
		top, _, _ := strings.Cut(strings.TrimSpace(name), "/")
		if !strings.HasPrefix(top, ".") && !slices.Contains(allowed, top) {
			t.Errorf("%s lies at the top level", top)
		}
	}
}
