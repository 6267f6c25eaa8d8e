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
	// incomplete matches the error of a command line that only names a verb or a flag.
	incomplete = regexp.MustCompile(`^missing flags|^expected "|but got "EOL"`)
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
		commands, mentions := shellLines(string(content))
		for i, line := range append(commands, mentions...) {
			m := commandCall.FindStringSubmatch(line)
			switch {
			case m == nil:
				continue
			case m[1] == "make":
				if target, _, _ := strings.Cut(m[2], " "); !targets[target] {
					t.Errorf("%s: %q: the Makefile has no target %s", name, line, target)
				}
			default:
				_, err := quietParser().Parse(words(untilPipe(m[2])))
				if err != nil && (i < len(commands) || !incomplete.MatchString(err.Error())) {
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
func shellLines(markdown string) (commands, mentions []string) {
	for _, block := range shellBlock.FindAllStringSubmatch(markdown, -1) {
		text := strings.ReplaceAll(block[1], "\\\n", " ")
		for line := range strings.Lines(text) {
			line, _, _ = strings.Cut(line, " #")
			commands = append(commands, strings.TrimSpace(line))
		}
	}
	prose := heading.ReplaceAllString(shellBlock.ReplaceAllString(markdown, ""), "")
	for _, m := range inlineCode.FindAllStringSubmatch(prose, -1) {
		if !strings.ContainsAny(m[1], "<[|") { // those are forms, not commands
			mentions = append(mentions, m[1])
		}
	}
	return commands, mentions
}

// untilPipe returns the arguments of a command before a pipe, a redirection, or the
// end of a command substitution.
func untilPipe(arguments string) string {
	for _, end := range []string{" | ", " > ", " && ", ")"} {
		arguments, _, _ = strings.Cut(arguments, end)
	}
	return arguments
}
