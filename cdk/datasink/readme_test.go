package datasink

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/rig/readmetest"
)

var update = flag.Bool("update", false, "rewrite the generated sections of cdk/README.md")

func TestTheGeneratedSectionsOfTheREADME(t *testing.T) {
	readmetest.Section(t, "../README.md", "settings", settingsTable(), *update)
	readmetest.Section(t, "../README.md", "alarms", runbook(), *update)
	readmetest.Section(t, "../README.md", "cost", costTable(t), *update)
}

// settingsTable is the reference of all settings in Markdown.
func settingsTable() string {
	var b strings.Builder
	b.WriteString("| setting | default | meaning |\n|---|---|---|\n")
	for _, s := range settings.All() {
		byDefault := "none"
		switch {
		case s.DefaultText != "":
			byDefault = s.DefaultText
		case s.Default != "":
			byDefault = "`" + s.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", s.Name, byDefault, s.Meaning)
	}
	return b.String()
}
