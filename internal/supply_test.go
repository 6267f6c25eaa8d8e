package internal_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the README's table of licences")

// licences are those that a module may have, by a sentence that no other has.
var licences = []struct{ name, sentence string }{
	{"Apache-2.0", "Apache License Version 2.0, January 2004"},
	{"BSD", "Redistribution and use in source and binary forms, with or without modification, are permitted provided that the following conditions are met"},
	{"BSL-1.0", "Boost Software License - Version 1.0"},
	{"ISC", "Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted"},
	{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files"},
	{"MPL-2.0", "Mozilla Public License Version 2.0"},
	{"Unlicense", "This is free and unencumbered software released into the public domain"},
}

// refusedLicences stand in no licence that is allowed, alone or beside another.
var refusedLicences = regexp.MustCompile(`(?i)GNU (Affero |Lesser )?General Public License|Server Side Public License|Business Source License|Commons Clause|Elastic License|non-?commercial (use|purposes)|Creative Commons`)

var (
	isLicence = regexp.MustCompile(`(?i)^(un)?licen[cs]e([-._].*)?$|^copying([-._].*)?$`)
	// LICENSE-SUMMARY says in other words what stands beside it.
	isSummary = regexp.MustCompile(`(?i)summary`)
	spaces    = regexp.MustCompile(`\s+`)
)

// classify names the licences in the text of a licence file, or fails for a text
// that has none that is known, or one that is refused.
func classify(text string) ([]string, error) {
	text = spaces.ReplaceAllString(text, " ")
	if found := refusedLicences.FindString(text); found != "" {
		return nil, fmt.Errorf("has %q in it", found)
	}
	var names []string
	for _, l := range licences {
		if strings.Contains(strings.ToLower(text), strings.ToLower(l.sentence)) {
			names = append(names, l.name)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("has none of the sentences of a known licence")
	}
	return names, nil
}

// moduleFolders are the folders of each foreign module that is linked into the
// functions and the command: those of the packages, and all above up to its root.
func moduleFolders(t *testing.T) map[string][]string {
	t.Helper()
	list := exec.Command("go", "list", "-deps", "-json=Dir,Standard,Module", module+"functions/...", module+"internal/cmd/datasink")
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	folders := make(map[string][]string)
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			Dir      string
			Standard bool
			Module   struct {
				Path, Dir string
				Main      bool
			}
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return folders
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Standard || p.Module.Main {
			continue
		}
		for dir := p.Dir; ; dir = filepath.Dir(dir) {
			if !slices.Contains(folders[p.Module.Path], dir) {
				folders[p.Module.Path] = append(folders[p.Module.Path], dir)
			}
			if dir == p.Module.Dir || len(dir) < len(p.Module.Dir) {
				break
			}
		}
	}
}

// TestLicences reads the licence files of all that is linked, and holds the
// README's table.
func TestLicences(t *testing.T) {
	t.Parallel()
	modules := make(map[string][]string) // by licence
	for path, folders := range moduleFolders(t) {
		found := make(map[string]bool)
		for _, folder := range folders {
			entries, err := os.ReadDir(folder)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if e.IsDir() || filepath.Ext(e.Name()) == ".go" || !isLicence.MatchString(e.Name()) || isSummary.MatchString(e.Name()) {
					continue
				}
				text, err := os.ReadFile(filepath.Join(folder, e.Name()))
				if err != nil {
					t.Fatal(err)
				}
				names, err := classify(string(text))
				if err != nil {
					t.Errorf("%s: %s %v", path, e.Name(), err)
				}
				for _, name := range names {
					found[name] = true
				}
			}
		}
		if len(found) == 0 {
			t.Errorf("%s has no licence that is allowed", path)
		}
		licence := strings.Join(slices.Sorted(maps.Keys(found)), " and ")
		modules[licence] = append(modules[licence], path)
	}
	if len(modules) == 0 {
		t.Fatal("go list names no foreign module")
	}
	holdReadme(t, licenceTable(modules))
}

func licenceTable(modules map[string][]string) string {
	var b strings.Builder
	b.WriteString("| licence | modules, without `github.com/` |\n|---|---|\n")
	for _, licence := range slices.Sorted(maps.Keys(modules)) {
		names, ofAWS := slices.Sorted(slices.Values(modules[licence])), 0
		names = slices.DeleteFunc(names, func(name string) bool {
			if strings.HasPrefix(name, "github.com/aws/") {
				ofAWS++
				return true
			}
			return false
		})
		if ofAWS > 0 {
			names = append([]string{fmt.Sprintf("%d of github.com/aws", ofAWS)}, names...)
		}
		fmt.Fprintf(&b, "| %s | %s |\n", licence, strings.ReplaceAll(strings.Join(names, ", "), "github.com/", ""))
	}
	return b.String()
}

func holdReadme(t *testing.T, want string) {
	t.Helper()
	const path, begin, end = "../README.md", "<!-- licences -->\n", "<!-- /licences -->"
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(readme), begin)
	got, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("the README has no section between %q and %q", begin, end)
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the README's licences are not those of go.mod; run go test ./internal -run Licences -update (-want +got):\n%s", diff)
	}
}

func TestLicencesThatAreRefused(t *testing.T) {
	t.Parallel()
	const mit = "Permission is hereby granted, free of charge, to any person\nobtaining a copy of this software and associated\n\tdocumentation files (the \"Software\")"
	if names, err := classify(mit); err != nil || !slices.Equal(names, []string{"MIT"}) {
		t.Errorf("classify of MIT = %q, %v", names, err)
	}
	for _, text := range []string{
		"", "All rights reserved.", "Copyright 2026", "GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007", "GNU AFFERO GENERAL PUBLIC LICENSE", "GNU Lesser General Public License",
		"Business Source License 1.1", "Server Side Public License", mit + "\n\"Commons Clause\" License Condition v1.0", "free for non-commercial use", mit[:60],
	} {
		if names, err := classify(text); err == nil {
			t.Errorf("classify(%.40q) = %q, want it refused", text, names)
		}
	}
}

// TestActionsArePinned holds that what CI runs of others is named by its hash,
// and that it may only read.
func TestActionsArePinned(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../.github/workflows/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no workflow: %v", err)
	}
	uses, pinned := regexp.MustCompile(`(?m)^[ \t-]*["']?uses["']?\s*:(.*)$`), regexp.MustCompile(`^ [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found := uses.FindAllStringSubmatch(string(text), -1)
		if len(found) == 0 || len(found) != strings.Count(string(text), "uses") {
			t.Errorf("%s: %d actions, and %d times the word", path, len(found), strings.Count(string(text), "uses"))
		}
		for _, action := range found {
			if !pinned.MatchString(action[1]) {
				t.Errorf("%s: uses:%s, want owner/action@<40 digits> # v1.2.3", path, action[1])
			}
		}
		if !strings.Contains(string(text), "\npermissions:\n  contents: read\njobs:") || strings.Count(string(text), "permissions:") != 1 {
			t.Errorf("%s: want the permission to read the contents and no other", path)
		}
		if strings.Contains(string(text), "pull_request_target") {
			t.Errorf("%s: pull_request_target runs a stranger's code with this repository's rights", path)
		}
	}
}
