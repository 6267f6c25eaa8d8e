package main_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// execute runs SQL statements in an engine, and returns the last row. python is the
// folder of a Python environment in .tools.
func execute(t *testing.T, python, engine string, statements []string) (row []string) {
	t.Helper()
	path, err := filepath.Abs("../../../.tools/" + python + "/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	task, err := json.Marshal(map[string]any{"engine": engine, "statements": statements})
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), path, "../../operate/sql/testdata/run.py")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(task), &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v; `make .tools/%s/installed` installs it\n%s\n%s", engine, err, python, &stderr, strings.Join(statements, "\n\n"))
	}
	var rows [][]string
	if err := json.Unmarshal(out, &rows); err != nil || len(rows) == 0 {
		t.Fatalf("%s: %v in %q", engine, err, out)
	}
	return rows[len(rows)-1]
}

// TestEnginesReadALocalPipeline posts odd bodies, and reads them in DuckDB and ClickHouse
// by the printed statements, from the data folder and by the S3 API.
func TestEnginesReadALocalPipeline(t *testing.T) {
	t.Parallel()
	bodies := []string{
		`{"customer":{"id":7}}`, `{"customer":{"id":"no number"}}`, `[1,{"a":2}]`, `"text"`, `4`, `-0.0`, `null`, `true`, `NaN`, `1e400`, `{'k':17}`, `{"k":10}{"k":11}`, `{"dt":"x","hour":99}`,
		`{"a":1,"a":2}`, `{"a":`, `{}`, `[]`, `{"` + "\u00fc" + `":"\u0000"}`, "not JSON", `\N`, "a\x01b", "a\rb", "end\r\n", "bad \xff UTF-8", "NUL \x00", "a,b;c\td", `"open`, `back\slash\`,
		"\ufeffBOM", "\ufeff{}", "\n", "\n", "  ", "ümlaut", "{\n  \"indented\": true\n}\n", "two\nlines", strings.Repeat("x", 100_000), `{"large":"` + strings.Repeat("x", 1_100_000) + `"}`,
	}
	d := start(t, t.TempDir())
	lines, size, blank := 0, 0, 3
	for _, body := range bodies {
		if ok, err := d.post(t.Context(), http.DefaultClient, body); !ok || err != nil {
			t.Fatalf("POST of %.40q: accepted %v, %v", body, ok, err)
		}
		framed := strings.TrimSuffix(body, "\n") + "\n"
		lines += strings.Count(framed, "\n")
		size += len(framed) - strings.Count(framed, "\n")
	}
	d.await(t, "orders", lines)
	streams, err := filepath.Abs("../../../streams.json")
	if err != nil {
		t.Fatal(err)
	}
	read := func(python, engine, query string, args ...string) []string {
		t.Helper()
		printed := d.operate(t, "", append([]string{"sql", "orders", "--for=" + engine, "--streams=" + streams}, args...)...).done(t)
		statements := strings.Split(strings.TrimSpace(printed), "\n\n")
		if !slices.ContainsFunc(statements, func(s string) bool { return strings.Contains(s, "127.0.0.1") }) == slices.Contains(args, "--s3") {
			t.Errorf("sql %v printed:\n%s", args, printed)
		}
		return execute(t, python, engine, append(statements[:len(statements)-1], query))
	}
	const all = "SELECT count(), sum(length(body)) FROM `datasink`.`orders`"
	for _, args := range [][]string{nil, {"--s3"}} {
		if got := read("sql", "clickhouse", all, args...); !slices.Equal(got, []string{strconv.Itoa(lines), strconv.Itoa(size)}) {
			t.Errorf("ClickHouse %v: %q lines and bytes, want %d and %d", args, got, lines, size)
		}
	}
	// DuckDB skips blank lines, and has NULL for a line that is not JSON.
	const counts = `SELECT count(*), count(body), count(*) FILTER (body->>'$.customer.id' = '7') FROM "orders"('*')`
	files, api := read("sql", "duckdb", counts), read("duckdb", "duckdb", counts, "--s3")
	for from, got := range map[string][]string{"the folder": files, "the S3 API": api} {
		if got[0] != strconv.Itoa(lines-blank) {
			t.Errorf("DuckDB read %s lines from %s, want %d", got[0], from, lines-blank)
		}
		if json, err := strconv.Atoi(got[1]); err != nil || json < 15 || json > lines-blank-15 {
			t.Errorf("DuckDB read %s lines of JSON from %s, want some, but not all", got[1], from)
		}
		if got[2] != "1" {
			t.Errorf("DuckDB read %s records of customer 7 from %s, want 1", got[2], from)
		}
	}
}
