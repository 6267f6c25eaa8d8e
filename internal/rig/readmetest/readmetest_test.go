package readmetest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/data-sink/data-sink/internal/rig/readmetest"
)

const readme = "# Title\n\n<!-- table -->\nold\n<!-- /table -->\n\nend\n"

// recorder records whether a test failed.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }

func TestSection(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(path, []byte(readme), 0o600); err != nil {
		t.Fatal(err)
	}
	readmetest.Section(t, path, "table", "old\n", false)
	stale := &recorder{TB: t}
	if readmetest.Section(stale, path, "table", "new\n", false); !stale.failed {
		t.Error("a section that is out of date does not fail the test")
	}
	readmetest.Section(t, path, "table", "new\n", true)
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := "# Title\n\n<!-- table -->\nnew\n<!-- /table -->\n\nend\n"; string(got) != want {
		t.Errorf("updated file = %q, want %q", got, want)
	}
}
