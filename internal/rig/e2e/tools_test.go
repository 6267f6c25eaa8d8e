//go:build e2e

package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// root returns the root folder of the repository.
func root(tb testing.TB) string {
	tb.Helper()
	dir, err := filepath.Abs("../../..")
	if err != nil {
		tb.Fatal(err)
	}
	return dir
}

// tool returns the path of a program that make installs, or that variable overrides.
func tool(tb testing.TB, variable, installed string) string {
	tb.Helper()
	path := os.Getenv(variable)
	if path == "" {
		path = filepath.Join(root(tb), installed)
	}
	if _, err := os.Stat(path); err != nil {
		tb.Fatalf("%s is missing: `make e2e` installs it and runs these tests; to use another one, set %s to its path", path, variable)
	}
	return path
}

// ministackPython returns the Python that has the package ministack, an AWS
// emulator.
func ministackPython(tb testing.TB) string {
	return tool(tb, "E2E_MINISTACK_PYTHON", ".tools/ministack/bin/python")
}

// clientsPython returns the Python that has boto3, beside which is the AWS CLI.
func clientsPython(tb testing.TB) string {
	return tool(tb, "E2E_CLIENTS_PYTHON", ".tools/clients/bin/python")
}

// cdkCommand returns the pinned CDK CLI.
func cdkCommand(tb testing.TB) string {
	return tool(tb, "E2E_CDK", "cdk/node_modules/.bin/cdk")
}

// goSettings returns the settings of this machine's Go as environment variables.
// Without them a child with its own HOME would download and build everything again.
func goSettings(tb testing.TB) []string {
	tb.Helper()
	names := []string{"GOMODCACHE", "GOCACHE", "GOPROXY", "GOSUMDB", "GOFLAGS", "GOENV", "GOPATH"}
	out, err := exec.Command("go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		tb.Fatalf("go env: %v", err)
	}
	values := strings.Split(strings.TrimRight(string(out), "\n"), "\n")
	if len(values) != len(names) {
		tb.Fatalf("go env %v printed %q", names, out)
	}
	settings := make([]string, len(names))
	for i, name := range names {
		settings[i] = name + "=" + values[i]
	}
	return settings
}
