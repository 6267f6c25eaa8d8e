package page_test

import (
	"encoding/json"
	"fmt"
	"os"
)

// axePath is where `make unit` installs axe-core.
const axePath = "testdata/npm/node_modules/axe-core/axe.min.js"

// axe returns what axe-core finds on the page. It looks for violations of all its
// rules.
func (b *tab) axe() []string {
	b.t.Helper()
	source, err := os.ReadFile(axePath)
	if err != nil {
		b.t.Fatalf("axe-core is not installed, run `npm ci` in internal/local/page/testdata/npm: %v", err)
	}
	eval[bool](b, `typeof axe === "object" || (() => {`+string(source)+`; return true })()`)
	eval[bool](b, `window.axeFindings = null, axe.run(document, { resultTypes: ["violations"] }).then((r) => {
		window.axeFindings = JSON.stringify(r.violations.map((v) => ({ rule: v.id, help: v.help, nodes: v.nodes.map((n) => n.target.join(" ") + ": " + n.any.map((a) => a.message).join("; ")) })));
	}), true`)
	b.until("axe-core", `window.axeFindings !== null`)
	var findings []struct {
		Rule, Help string
		Nodes      []string
	}
	if err := json.Unmarshal([]byte(eval[string](b, "window.axeFindings")), &findings); err != nil {
		b.t.Fatal(err)
	}
	var texts []string
	for _, f := range findings {
		texts = append(texts, fmt.Sprintf("%s (%s): %q", f.Rule, f.Help, f.Nodes))
	}
	return texts
}
