package datasink

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the README's tables of settings and alarms")

func TestReadmeHasTheTables(t *testing.T) {
	const path = "../../README.md"
	for _, section := range []struct{ name, want string }{{"settings", settingsTable()}, {"runbook", runbook()}} {
		begin, end := "<!-- "+section.name+" -->\n", "<!-- /"+section.name+" -->"
		before, rest, found := strings.Cut(string(readFile(t, path)), begin)
		got, after, ended := strings.Cut(rest, end)
		if !found || !ended {
			t.Errorf("the README has no section between %q and %q", begin, end)
			continue
		}
		if *update {
			if err := os.WriteFile(path, []byte(before+begin+section.want+end+after), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(section.want, got); diff != "" {
			t.Errorf("the README's %s are not the app's; run go test ./cdk/datasink -run Readme -update (-want +got):\n%s", section.name, diff)
		}
	}
}
