// Package readmetest compares generated sections of README files with their
// generators. It is for tests.
package readmetest

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Section fails the test unless the file at path has exactly the text want between
// the lines "<!-- name -->" and "<!-- /name -->". If update is true, it writes want
// into the file instead. The file must contain both lines in either case.
func Section(tb testing.TB, path, name, want string, update bool) {
	tb.Helper()
	content, err := os.ReadFile(path) // #nosec G304 -- the path comes from the test.
	if err != nil {
		tb.Fatal(err)
	}
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->\n"
	before, rest, begun := strings.Cut(string(content), begin)
	got, after, ended := strings.Cut(rest, end)
	if !begun || !ended {
		tb.Fatalf("%s has no section between %q and %q", path, begin, end)
	}
	if update {
		if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o600); err != nil {
			tb.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("section %s of %s is out of date; run this test with -update (-want +got):\n%s", name, path, diff)
	}
}
