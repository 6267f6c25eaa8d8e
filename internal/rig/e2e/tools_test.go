//go:build e2e

package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// root is the repository's.
func root(tb testing.TB) string {
	tb.Helper()
	dir, err := filepath.Abs("../../..")
	if err != nil {
		tb.Fatal(err)
	}
	return dir
}

// tool is the path of a program that make installs, or that the variable names.
func tool(tb testing.TB, variable, installed string) string {
	tb.Helper()
	path := os.Getenv(variable)
	if path == "" {
		path = filepath.Join(root(tb), installed)
	}
	if _, err := os.Stat(path); err != nil {
		tb.Fatalf("%s is missing: `make e2e` installs it and then runs these tests; to use another one, set %s to its path", path, variable)
	}
	return path
}

// ministackPython is the Python that has the package ministack, an emulator of AWS.
func ministackPython(tb testing.TB) string {
	return tool(tb, "E2E_MINISTACK_PYTHON", ".tools/ministack/bin/python")
}

// cdkCommand is the pinned CDK command.
func cdkCommand(tb testing.TB) string {
	return tool(tb, "E2E_CDK", "cdk/node_modules/.bin/cdk")
}

// goSettings are those of this machine's Go, as environment variables: with a
// HOME of its own a child would download and build everything again.
func goSettings(tb testing.TB) []string {
	tb.Helper()
	names := []string{"GOMODCACHE", "GOCACHE", "GOPROXY", "GOSUMDB", "GOFLAGS", "GOENV", "GOPATH"}
	out, err := exec.Command("go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		tb.Fatalf("go env: %v", err)
	}
	values := strings.Split(strings.TrimRight(string(out), "\n"), "\n")
	if len(values) != len(names) {
		tb.Fatalf("go env %v says %q", names, out)
	}
	settings := make([]string, len(names))
	for i, name := range names {
		settings[i] = name + "=" + values[i]
	}
	return settings
}
