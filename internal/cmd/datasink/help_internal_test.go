package main

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func quietParser() *kong.Kong {
	return newParser(context.Background(), console{io.Discard, io.Discard})
}

// commands calls each with every command and its path, such as "failed ls". The
// path of the root command is empty.
func commands(app *kong.Application, each func(path string, node *kong.Node)) {
	var walk func(path string, node *kong.Node)
	walk = func(path string, node *kong.Node) {
		each(path, node)
		for _, child := range node.Children {
			if !child.Hidden {
				walk(strings.TrimSpace(path+" "+child.Name), child)
			}
		}
	}
	walk("", app.Node)
}

// TestExamplesAreCommandLines parses every example of the help.
func TestExamplesAreCommandLines(t *testing.T) {
	t.Parallel()
	commands(quietParser().Model, func(path string, node *kong.Node) {
		if !node.Leaf() {
			return
		}
		examples := 0
		for line := range strings.Lines(node.Detail) {
			_, call, ok := strings.Cut(line, "datasink ")
			if !ok || !strings.HasPrefix(line, "  ") {
				continue
			}
			examples++
			call, _, _ = strings.Cut(call, " | ")
			call, _, _ = strings.Cut(call, " > ")
			if _, err := quietParser().Parse(words(strings.TrimRight(call, ")\n"))); err != nil {
				t.Errorf("datasink %s: the example %q: %v", path, strings.TrimSpace(line), err)
			}
		}
		if examples == 0 {
			t.Errorf("datasink %s has no examples in its help", path)
		}
	})
}

// words splits a command line at spaces, but for those in quotes.
func words(line string) []string {
	var all []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			all = append(all, part)
		} else {
			all = append(all, strings.Fields(part)...)
		}
	}
	return all
}

func TestMoments(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-11-22T23:05:06Z": "2026-11-22T23:05:06Z", "2026-11-22T23:05:06+01:00": "2026-11-22T22:05:06Z", "2026-11-22T23:05": "2026-11-22T23:05:00Z",
		"2026-11-22T23": "2026-11-22T23:00:00Z", "2026-11-22": "2026-11-22T00:00:00Z",
		"soon": "", "": "", "-1h": "", "1.5d": "", "d": "", "2026-13-01": "",
	} {
		var m moment
		err := m.UnmarshalText([]byte(text))
		if (err == nil) != (want != "") || err == nil && m.Format("2006-01-02T15:04:05Z07:00") != want {
			t.Errorf("moment %q = %v, %v, want %q", text, m, err, want)
		}
	}
	for _, tt := range []struct {
		earlier, later string
	}{{"2d", "47h"}, {"90m", "1h"}, {"1s", "now"}} {
		var earlier, later moment
		if earlier.UnmarshalText([]byte(tt.earlier)) != nil || later.UnmarshalText([]byte(tt.later)) != nil || !earlier.Before(later.Time) {
			t.Errorf("%s is %v and %s is %v", tt.earlier, earlier, tt.later, later)
		}
	}
}

func TestTextsForPeople(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 658_899: "658.9 kB", 999_999: "1.0 MB", 5_000_000_000_000_000: "5000.0 TB"} {
		if got := bytesText(n); got != want {
			t.Errorf("bytesText(%d) = %q, want %q", n, got, want)
		}
	}
	for body, want := range map[string]string{
		"plain": "plain", "a\nb\tc": "a b c", "\x1f\x8b": "(2 bytes, binary)", "\x1b[2J": "(4 bytes, binary)", "a long body": "a long b…", "1234567é": "1234567�…",
	} {
		if got := textOf([]byte(body), 8); got != want {
			t.Errorf("textOf(%q) = %q, want %q", body, got, want)
		}
	}
}

func TestReferenceHasEveryVerbAndFlag(t *testing.T) {
	t.Parallel()
	parser := quietParser()
	text := reference(parser.Model)
	commands(parser.Model, func(path string, node *kong.Node) {
		if !node.Leaf() {
			return
		}
		if !strings.Contains(text, "## `datasink "+path) || !strings.Contains(text, node.Help) {
			t.Errorf("the reference lacks datasink %s", path)
		}
		for _, f := range flagsOf(node) {
			if f.Name != "help" && !strings.Contains(text, "--"+f.Name+"` |") {
				t.Errorf("the reference lacks --%s of datasink %s", f.Name, path)
			}
		}
	})
}
