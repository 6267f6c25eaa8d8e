// Package internal_test holds the rules of the source tree.
package internal_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/data-sink/data-sink/"

// pkg is a package of this module as `go list` tells of it; paths are relative
// to the module, and tests do not count.
type pkg struct {
	ImportPath    string
	Imports, Deps []string
}

func list(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps=false", "-json=ImportPath,Imports,Deps", module+"...").Output()
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

// TestDependenciesPointDown holds who may import what, directly or at all.
func TestDependenciesPointDown(t *testing.T) {
	t.Parallel()
	rules := []struct {
		why     string
		of      string // packages that the rule is about
		but     string // packages that it is not about
		deps    bool   // whether imports of imports count
		refuses string
	}{
		{"the functions stay small", `^(functions|internal)/`, `^$`, true, `^github.com/aws/(aws-cdk-go|constructs-go|jsii-runtime-go)`},
		{"the CDK app is not the functions", `^cdk`, `^$`, true, `^github.com/(aws/aws-sdk-go-v2|redis)|data-sink/internal/(pipeline/(archive|basicauth|bridge|drain|envelope|ingest|queue|secret|sink|wake)|operate|local|cmd)`},
		{"one package knows Redis", `^(functions|internal)`, `^internal/(pipeline/queue|rig/redistest|rig/bench(/hello/.*)?)$`, false, `^github.com/redis/`},
		{"records go out through one writer", `^internal`, `^internal/(pipeline/sink|operate/tap|rig/bench(/hello/.*)?)$`, false, `/service/(kinesis|firehose)$`},
		{"nothing of the one-machine pipeline is in the functions", `^functions/`, `^$`, true, `data-sink/internal/(local|cmd|operate/tap|rig)|miniredis|gofakes3`},
		{"handlers know no AWS client", `^internal/(pipeline/(ingest|drain|bridge)|operate/verifier)$`, `^$`, false, `aws-sdk-go-v2/service`},
		{"leaves stand alone", `^internal/pipeline/(stream|envelope|metric)$`, `^$`, true, `data-sink/internal/`},
	}
	packages := list(t)
	for _, rule := range rules {
		of, but, refuses := regexp.MustCompile(rule.of), regexp.MustCompile(rule.but), regexp.MustCompile(rule.refuses)
		about := 0
		for _, p := range packages {
			if !of.MatchString(p.ImportPath) || but.MatchString(p.ImportPath) {
				continue
			}
			about++
			paths := p.Imports
			if rule.deps {
				paths = p.Deps
			}
			if i := slices.IndexFunc(paths, refuses.MatchString); i >= 0 {
				t.Errorf("%s: %s imports %s", rule.why, p.ImportPath, paths[i])
			}
		}
		if about == 0 {
			t.Errorf("%s: no package matches %s, the rule holds nothing", rule.why, rule.of)
		}
	}
}

// TestTopLevelIsTheDesigns holds what may stand at the top level.
func TestTopLevelIsTheDesigns(t *testing.T) {
	t.Parallel()
	git := exec.Command("git", "ls-files")
	git.Dir = ".."
	out, err := git.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	allowed := []string{"functions", "cdk", "internal", "streams.json", "go.mod", "go.sum", "Makefile", "README.md"}
	for path := range strings.Lines(string(out)) {
		top, _, _ := strings.Cut(strings.TrimSpace(path), "/")
		if !strings.HasPrefix(top, ".") && !slices.Contains(allowed, top) {
			t.Errorf("%s stands at the top level", top)
		}
	}
}
