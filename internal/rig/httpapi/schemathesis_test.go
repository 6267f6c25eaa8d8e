package httpapi_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// checks are the checks of schemathesis that hold for this API. The others assume
// that a router answers 405, or that a server can tell valid bodies from invalid
// ones, where any bytes are valid.
var checks = []string{
	"not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance", "response_schema_conformance",
	"missing_required_header", "ignored_auth",
}

func TestSchemathesis(t *testing.T) {
	program := tool(t, ".tools/schemathesis/bin/schemathesis")
	tool(t, ".tools/schemathesis/installed")
	p := startPipeline(t)
	testdata, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	document := filepath.Join(testdata, "../../../pipeline/ingest/openapi.yaml")
	cmd := exec.Command(program, "--config-file", filepath.Join(testdata, "schemathesis.toml"), "run", document, "--url", p.url, "--auth", user+":"+password,
		"--checks", strings.Join(checks, ","), "--phases", "examples,coverage,fuzzing", "--max-time", "20", "--generation-database", "none", "--no-color")
	cmd.Dir = t.TempDir() // for its cache
	cmd.Env = append(environment(p.url), "PYTHONPATH="+testdata)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("schemathesis: %v\n%s", err, out)
	}
	if !strings.Contains(string(out), "Tested: 3") {
		t.Errorf("schemathesis did not test every operation:\n%s", out)
	}
	_, summary, _ := strings.Cut(string(out), "Test cases:\n")
	t.Log(strings.TrimSpace(strings.SplitN(summary, "\n", 2)[0]))
}
