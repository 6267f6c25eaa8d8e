package main

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the command reference in README.md")

// marker stands in README.md before and behind the command reference.
const marker = "<!-- command reference -->"

func TestREADMEHasTheCommandReference(t *testing.T) {
	t.Parallel()
	const path = "../../../README.md"
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(content), marker)
	if len(parts) != 3 {
		t.Fatalf("README.md has the line %s %d times, want it twice, around the command reference", marker, len(parts)-1)
	}
	want := "\n\n" + reference(quietParser().Model) + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(parts[0]+marker+want+marker+parts[2]), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, parts[1]); diff != "" {
		t.Errorf("README.md differs from the command's help; run go test ./internal/cmd/datasink -run README -update (-want +got):\n%s", diff)
	}
}
