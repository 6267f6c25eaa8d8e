package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite README.md")

// TestREADMEIsTheReference compares README.md with the help of all verbs.
func TestREADMEIsTheReference(t *testing.T) {
	t.Parallel()
	const path = "README.md"
	want := reference(quietParser().Model)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(content)); diff != "" {
		t.Errorf("README.md differs from the help; run go test ./internal/cmd/datasink -run README -update (-want +got):\n%s", diff)
	}
}

// reference renders the help of all verbs as the Markdown of README.md. The flags
// that many verbs share are listed once, at the end.
func reference(app *kong.Application) string {
	var b strings.Builder
	b.WriteString("# The command datasink\n\n")
	b.WriteString("This file is generated from the help of the command: `go test ./internal/cmd/datasink -run README -update`.\n")
	b.WriteString("`make run` and `make build` write the command to `.build/datasink`; `PATH=$PWD/.build:$PATH` lets the shell find it.\n\n")
	b.WriteString(paragraphs(app.Help))
	shared := make(map[string][]*kong.Flag)
	commands(app, func(path string, node *kong.Node) {
		if path == "" || !node.Leaf() {
			return
		}
		usage := app.Name + " " + path
		for _, p := range node.Positional {
			usage += " " + p.Summary()
		}
		fmt.Fprintf(&b, "## `%s`\n\n%s\n\n", usage, node.Help)
		b.WriteString(paragraphs(node.Detail))
		arguments(&b, node.Positional)
		var own []*kong.Flag
		groups := make(map[string]bool)
		for _, f := range flagsOf(node) {
			switch {
			case f.Hidden || f.Name == "help":
			case f.Group != nil && sharedTitles[f.Group.Key] != "":
				groups[f.Group.Key] = true
				if !slices.ContainsFunc(shared[f.Group.Key], func(g *kong.Flag) bool { return g.Name == f.Name }) {
					shared[f.Group.Key] = append(shared[f.Group.Key], f)
				}
			default:
				own = append(own, f)
			}
		}
		table(&b, own)
		if len(groups) > 0 {
			var titles []string
			for _, key := range slices.Sorted(maps.Keys(groups)) {
				titles = append(titles, sharedTitles[key])
			}
			fmt.Fprintf(&b, "The flags for %s also apply.\n\n", strings.Join(titles, " and "))
		}
	})
	for _, key := range slices.Sorted(maps.Keys(shared)) {
		fmt.Fprintf(&b, "## Flags for %s\n\n", sharedTitles[key])
		table(&b, shared[key])
	}
	return strings.TrimSpace(b.String()) + "\n"
}

// sharedTitles holds the titles of the flag groups that many verbs share.
var sharedTitles = map[string]string{"where": "the deployment", "posting": "posting"}

// paragraphs converts detailed help to Markdown. Indented blocks become code.
func paragraphs(detail string) string {
	var b strings.Builder
	code := false
	for block := range strings.SplitSeq(strings.TrimSpace(detail), "\n\n") {
		isCode := strings.HasPrefix(block, "  ")
		switch {
		case isCode && !code && strings.Contains(block, "datasink "):
			b.WriteString("```sh\n")
		case isCode && !code:
			b.WriteString("```\n")
		case !isCode && code:
			b.WriteString("```\n\n")
		}
		if code = isCode; code {
			for line := range strings.Lines(block + "\n") {
				b.WriteString(strings.TrimPrefix(line, "  "))
			}
			continue
		}
		if block != "Examples:" {
			b.WriteString(strings.ReplaceAll(block, "\n", " ") + "\n\n")
		}
	}
	if code {
		b.WriteString("```\n\n")
	}
	return b.String()
}

func arguments(b *strings.Builder, positional []*kong.Positional) {
	if len(positional) == 0 {
		return
	}
	b.WriteString("| argument | |\n|---|---|\n")
	for _, p := range positional {
		fmt.Fprintf(b, "| `%s` | %s |\n", p.Summary(), cell(p.Help))
	}
	b.WriteString("\n")
}

func table(b *strings.Builder, flags []*kong.Flag) {
	if len(flags) == 0 {
		return
	}
	b.WriteString("| flag | default | |\n|---|---|---|\n")
	for _, f := range flags {
		name := "--" + f.Name
		if f.Short != 0 {
			name = fmt.Sprintf("-%c, %s", f.Short, name)
		}
		byDefault := "–"
		if f.HasDefault && f.Default != "" {
			byDefault = "`" + f.Tag.Default + "`"
		}
		if f.Required {
			byDefault = "required"
		}
		text := f.Help
		if len(f.Envs) > 0 {
			text += " Environment variable: `" + strings.Join(f.Envs, "`, `") + "`."
		}
		if f.Enum != "" {
			text += " One of `" + strings.Join(f.EnumSlice(), "`, `") + "`."
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, byDefault, cell(text))
	}
	b.WriteString("\n")
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
