package internal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// licences are the licences that a module may have, each with a sentence that is
// only in its text.
var licences = []struct{ name, sentence string }{
	{"Apache-2.0", "Apache License Version 2.0, January 2004"},
	{"BSD", "Redistribution and use in source and binary forms, with or without modification, are permitted provided that the following conditions are met"},
	{"BSL-1.0", "Boost Software License - Version 1.0"},
	{"ISC", "Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted"},
	{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files"},
	{"MPL-2.0", "Mozilla Public License Version 2.0"},
	{"Unlicense", "This is free and unencumbered software released into the public domain"},
}

// refusedLicences matches text that is in no allowed licence.
var refusedLicences = regexp.MustCompile(`(?i)GNU (Affero |Lesser )?General Public License|Server Side Public License|Business Source License|Commons Clause|Elastic License|non-?commercial (use|purposes)|Creative Commons`)

var (
	isLicence = regexp.MustCompile(`(?i)^(un)?licen[cs]e([-._].*)?$|^copying([-._].*)?$`)
	// LICENSE-SUMMARY summarizes the licence file beside it.
	isSummary = regexp.MustCompile(`(?i)summary`)
	spaces    = regexp.MustCompile(`\s+`)
)

// classify returns the licences in the text of a licence file. It returns an error
// if the text has no known licence, or one that is refused.
func classify(text string) ([]string, error) {
	text = spaces.ReplaceAllString(text, " ")
	if found := refusedLicences.FindString(text); found != "" {
		return nil, fmt.Errorf("contains %q", found)
	}
	var names []string
	for _, l := range licences {
		if strings.Contains(strings.ToLower(text), strings.ToLower(l.sentence)) {
			names = append(names, l.name)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("contains no known licence")
	}
	return names, nil
}

// moduleFolders returns, for each other module that is linked into the functions and
// the command, the folders of its packages and their parents up to the module's root.
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

// TestLicences reads the licence files of all linked modules.
func TestLicences(t *testing.T) {
	t.Parallel()
	modules := moduleFolders(t)
	if len(modules) == 0 {
		t.Fatal("go list lists no other module")
	}
	for path, folders := range modules {
		found := 0
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
				if _, err := classify(string(text)); err != nil {
					t.Errorf("%s: %s %v", path, e.Name(), err)
				}
				found++
			}
		}
		if found == 0 {
			t.Errorf("%s has no licence file", path)
		}
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

// TestActionsArePinned checks that the workflows name actions by their commit hash
// and have only the permission to read.
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
