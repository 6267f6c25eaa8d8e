package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is the version of a release, which `make release` sets.
var release string

type versionVerb struct {
	JSON bool `name:"json" group:"output" help:"Print a JSON object."`
}

// Help shows with datasink version --help.
func (*versionVerb) Help() string {
	return `The command prints the version, the commit and the date of the commit. A build that is not
a release has the version devel; a commit with changes has the suffix -dirty.

Examples:

  datasink version
  datasink version --json | jq -r .commit`
}

// version is the origin of the command.
type version struct {
	Version string `json:"version"`
	// Commit and Date are absent if the command was built outside of a repository.
	Commit string `json:"commit,omitempty"`
	Date   string `json:"date,omitempty"`
	Go     string `json:"go"`
}

// Run prints the version.
func (v *versionVerb) Run(c console) error {
	info, _ := debug.ReadBuildInfo()
	built := versionOf(release, info)
	if v.JSON {
		return printJSON(c.out, built)
	}
	text := "datasink " + built.Version
	if built.Commit != "" {
		text += ", commit " + built.Commit + " of " + built.Date
	}
	_, err := fmt.Fprintln(c.out, text+", "+built.Go)
	return err
}

// versionOf reads the build information, which may be nil.
func versionOf(release string, info *debug.BuildInfo) version {
	v := version{Version: release, Go: runtime.Version()}
	if release == "" {
		v.Version = "devel"
	}
	if info == nil {
		return v
	}
	v.Go = info.GoVersion
	dirty := ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.time":
			v.Date = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				dirty = "-dirty"
			}
		}
	}
	if v.Commit != "" {
		v.Commit += dirty
	}
	return v
}
