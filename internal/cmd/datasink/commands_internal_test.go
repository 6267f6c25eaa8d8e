package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")
	inlineCode = regexp.MustCompile("`((?:make|datasink) [^`]+)`")
	heading    = regexp.MustCompile(`(?m)^#.*$`)
	makeTarget = regexp.MustCompile(`(?m)^([a-z][a-z0-9-]*):`)
	// commandCall is a call of make or datasink at the start of a command.
	commandCall = regexp.MustCompile(`(?:^|[|&;(]\s*)(?:[A-Z_]+=\S+\s+)*(make|datasink)\s+(.*)`)
)

// TestREADMEsNameCommandsThatExist checks the commands in all README files of the
// repository: each target of make exists, and each command line of datasink parses.
func TestREADMEsNameCommandsThatExist(t *testing.T) {
	t.Parallel()
	const root = "../../.."
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	targets := make(map[string]bool)
	for _, m := range makeTarget.FindAllStringSubmatch(string(makefile), -1) {
		targets[m[1]] = true
	}
	files, err := exec.Command("git", "-C", root, "ls-files", "README.md", "*/README.md", ".github/*.md").Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	checked := 0
	for name := range strings.Lines(string(files)) {
		name = strings.TrimSpace(name)
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range shellLines(string(content)) {
			m := commandCall.FindStringSubmatch(line)
			switch {
			case m == nil:
				continue
			case m[1] == "make":
				if target, _, _ := strings.Cut(m[2], " "); !targets[target] {
					t.Errorf("%s: %q: the Makefile has no target %s", name, line, target)
				}
			default:
				if _, err := quietParser().Parse(words(untilPipe(m[2]))); err != nil {
					t.Errorf("%s: %q: %v", name, line, err)
				}
			}
			checked++
		}
	}
	if checked < 20 {
		t.Errorf("checked %d commands: the READMEs have more", checked)
	}
}

// shellLines returns the lines of all shell blocks without their comments, and the
// inline code that starts with make or datasink and has arguments.
func shellLines(markdown string) []string {
	var lines []string
	for _, block := range shellBlock.FindAllStringSubmatch(markdown, -1) {
		text := strings.ReplaceAll(block[1], "\\\n", " ")
		for line := range strings.Lines(text) {
			line, _, _ = strings.Cut(line, " #")
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	prose := heading.ReplaceAllString(shellBlock.ReplaceAllString(markdown, ""), "")
	for _, m := range inlineCode.FindAllStringSubmatch(prose, -1) {
		if !strings.ContainsAny(m[1], "<[|") { // those are forms, not commands
			lines = append(lines, m[1])
		}
	}
	return lines
}

// untilPipe returns the arguments of a command before a pipe, a redirection, or the
// end of a command substitution.
func untilPipe(arguments string) string {
	for _, end := range []string{" | ", " > ", " && ", ")"} {
		arguments, _, _ = strings.Cut(arguments, end)
	}
	return arguments
}
