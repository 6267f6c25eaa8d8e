package sql_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// execute runs or parses statements by testdata/run.py, and returns the rows of the
// last one.
func execute(t *testing.T, engine string, statements []string) [][]*string {
	t.Helper()
	python, err := filepath.Abs("../../../.tools/sql/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(python); err != nil {
		t.Fatalf("%v: run `make .tools/sql/installed` in the root folder", err)
	}
	task, err := json.Marshal(map[string]any{"engine": engine, "statements": statements})
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "run.py"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(task), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s\n%s", engine, err, &stderr, strings.Join(statements, "\n\n"))
	}
	var rows [][]*string
	if err := json.Unmarshal(stdout.Bytes(), &rows); err != nil {
		t.Fatalf("%s: %v in %q", engine, err, &stdout)
	}
	return rows
}

// texts returns rows as texts; NULL is "NULL".
func texts(rows [][]*string) []string {
	var list []string
	for _, row := range rows {
		var values []string
		for _, v := range row {
			if v == nil {
				values = append(values, "NULL")
			} else {
				values = append(values, *v)
			}
		}
		list = append(list, strings.Join(values, " "))
	}
	return list
}

// oddLines are lines that some reader of JSON or CSV drops, changes or fails on.
var oddLines = []string{
	`{"customer":{"id":7}}`, `{"customer":{"id":"no number"}}`, `[1,{"a":2}]`, `"text"`, `4`, `null`, `NaN`, `1e400`, `{'k':17}`, `{"k":10}{"k":11}`, `{"dt":"x","hour":99}`,
	"not JSON", `\N`, "a\x01b", "bad \xff UTF-8", "NUL \x00", "a,b;c\td", `"open`, `back\slash\`, "\ufeffBOM", "", "", "  ", "ümlaut", strings.Repeat("x", 100_000),
}

// writeArchive writes lines as two objects of a stream, one of them compressed, and
// returns the folder of the archive.
func writeArchive(t *testing.T, name string, lines []string) string {
	t.Helper()
	root := t.TempDir()
	folder := filepath.Join(root, name, "dt=2026-11-22", "hour=07")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	half := len(lines) / 2
	if _, err := z.Write([]byte(strings.Join(lines[:half], "\n") + "\n")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"a.gz": zipped.Bytes(), "b": []byte(strings.Join(lines[half:], "\n") + "\n")} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestEnginesReadOddLines(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"order", "2fa", "a-b"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table := table(t, `{"name":"`+name+`"}`)
			table.Folder = writeArchive(t, name, oddLines)

			clickhouse := statements(t, "clickhouse", table)
			if rows := execute(t, "clickhouse", clickhouse); len(rows) != 1 || *rows[0][1] != strconv.Itoa(len(oddLines)) {
				t.Errorf("ClickHouse: %q, want %d lines", texts(rows), len(oddLines))
			}
			size := 0
			for _, line := range oddLines {
				size += len(line)
			}
			exact := append(clickhouse[:len(clickhouse)-1:len(clickhouse)-1], "SELECT sum(length(body)) FROM `data_sink`.`"+strings.ReplaceAll(name, "-", "_")+"`;")
			if diff := cmp.Diff([]string{strconv.Itoa(size)}, texts(execute(t, "clickhouse", exact))); diff != "" {
				t.Errorf("ClickHouse: bytes differ (-want +got):\n%s", diff)
			}
			// DuckDB skips blank lines, and has NULL for a line that is not JSON.
			rows := execute(t, "duckdb", statements(t, "duckdb", table))
			blank := 3
			if len(rows) != 1 || *rows[0][0] != "7" || *rows[0][1] != strconv.Itoa(len(oddLines)-blank) {
				t.Errorf("DuckDB: %q, want hour 7 and %d lines", texts(rows), len(oddLines)-blank)
			}
		})
	}
}

func TestTypedViews(t *testing.T) {
	t.Parallel()
	table := table(t, `{"name":"orders",`+columns+`}`)
	table.Folder = writeArchive(t, "orders", []string{
		`{"customer":{"id":7},"it's \"a\"":["x"],"total":1.5,"paid":true,"at":"2026-11-22T23:05:00Z"}`,
		`{"customer":{"id":"no number"},"total":"no number","paid":"maybe","at":"soon"}`,
		`not JSON`,
	})
	const nulls = "NULL NULL NULL NULL NULL"
	duckdb := texts(execute(t, "duckdb", statements(t, "duckdb", table)))
	if diff := cmp.Diff([]string{"7 x 1.5 True 2026-11-22 23:05:00", nulls, nulls}, duckdb); diff != "" {
		t.Errorf("DuckDB: rows differ (-want +got):\n%s", diff)
	}
	clickhouse := slices.Sorted(slices.Values(texts(execute(t, "clickhouse", statements(t, "clickhouse", table)))))
	const clickhouseNulls = "ᴺᵁᴸᴸ ᴺᵁᴸᴸ ᴺᵁᴸᴸ ᴺᵁᴸᴸ ᴺᵁᴸᴸ"
	if diff := cmp.Diff([]string{"7 x 1.5 true 2026-11-22 23:05:00.000", clickhouseNulls, clickhouseNulls}, clickhouse); diff != "" {
		t.Errorf("ClickHouse: rows differ (-want +got):\n%s", diff)
	}
}

func TestGzipMembersOfARawStream(t *testing.T) {
	t.Parallel()
	table := table(t, `{"name":"raw","format":"raw"}`)
	table.GzipLines = true
	table.Folder = t.TempDir()
	folder := filepath.Join(table.Folder, "raw", "dt=2026-11-22", "hour=07")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	var members bytes.Buffer
	for _, line := range []string{"{\"a\":1}\n", "{\"a\":2}\n", "{\"a\":3}\n"} {
		z := gzip.NewWriter(&members)
		if _, err := z.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "object"), members.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, engine := range []string{"clickhouse", "duckdb"} {
		if diff := cmp.Diff([]string{"7 3 3"}, texts(execute(t, engine, statements(t, engine, table)))); diff != "" {
			t.Errorf("%s: rows differ (-want +got):\n%s", engine, diff)
		}
	}
}

func TestStatementsAreParsed(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"athena", "redshift", "snowflake", "spark", "trino"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			for _, name := range []string{"order", "2fa", "a-b"} {
				execute(t, engine, statements(t, engine, table(t, `{"name":"`+name+`",`+columns+`}`)))
			}
		})
	}
}

// TestAnHourIsReadByItsManifests has a late object, and an object in no manifest.
func TestAnHourIsReadByItsManifests(t *testing.T) {
	t.Parallel()
	table := table(t, `{"name":"a-b"}`)
	table.Folder = writeArchive(t, "a-b", []string{`{"n":1}`, `{"n":2}`, `{"n":3}`, `{"n":4}`})
	table.Hour = day.Add(7 * time.Hour)
	folder := filepath.Join(table.Folder, "a-b", "dt=2026-11-22", "hour=07")
	if err := os.WriteFile(filepath.Join(folder, "c"), []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	manifests := filepath.Join(table.Folder, "_manifests", "a-b", "dt=2026-11-22")
	if err := os.MkdirAll(manifests, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, object := range map[string]string{"hour=07.json": "a.gz", "hour=07.late-1.json": "b"} {
		content := `{"entries":[{"url":"s3://bucket/a-b/dt=2026-11-22/hour=07/` + object + `","mandatory":true,"meta":{"content_length":1}}],"stream":"a-b"}`
		if err := os.WriteFile(filepath.Join(manifests, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"4 4"}, texts(execute(t, "duckdb", statements(t, "duckdb", table)))); diff != "" {
		t.Errorf("rows differ (-want +got):\n%s", diff)
	}
}
