package main

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	settings := func(modified string) *debug.BuildInfo {
		return &debug.BuildInfo{GoVersion: "go1.26.8", Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: "2026-11-22T23:05:00Z"}, {Key: "vcs.modified", Value: modified},
		}}
	}
	for name, tt := range map[string]struct {
		release string
		info    *debug.BuildInfo
		want    version
	}{
		"a release":               {"v1.2.3", settings("false"), version{"v1.2.3", "abc", "2026-11-22T23:05:00Z", "go1.26.8"}},
		"a changed commit":        {"", settings("true"), version{"devel", "abc-dirty", "2026-11-22T23:05:00Z", "go1.26.8"}},
		"outside of a repository": {"", &debug.BuildInfo{GoVersion: "go1.26.8"}, version{Version: "devel", Go: "go1.26.8"}},
		"without information":     {"", nil, version{Version: "devel", Go: runtime.Version()}},
	} {
		if diff := cmp.Diff(tt.want, versionOf(tt.release, tt.info)); diff != "" {
			t.Errorf("%s: the version differs (-want +got):\n%s", name, diff)
		}
	}
}
