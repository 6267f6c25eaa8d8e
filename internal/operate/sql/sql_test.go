package sql_test

import (
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/operate/sql"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
)

var day = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

// table is a stream in AWS.
func table(t *testing.T, entry string) sql.Table {
	t.Helper()
	set, err := stream.Parse([]byte(`{"streams":[` + entry + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return sql.Table{
		Stream: set.All()[0], Deployment: "data-sink", Bucket: "bucket", Region: "eu-west-1", Account: "111122223333",
		Topic: "arn:aws:sns:eu-west-1:111122223333:objects", Columns: set.All()[0].Columns, Day: day,
	}
}

// columns are columns of all types, one of them with a pointer that needs quotes.
const columns = `"columns":[{"name":"id","pointer":"/customer/id","type":"bigint"},{"name":"order","pointer":"/it's \"a\"/0","type":"string"},
	{"name":"total","pointer":"/total","type":"double"},{"name":"paid","pointer":"/paid","type":"boolean"},{"name":"at","pointer":"/at","type":"timestamp"}]`

func statements(t *testing.T, engine string, table sql.Table) []string {
	t.Helper()
	all, err := sql.Statements(engine, table)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestStatementsCanBePasted(t *testing.T) {
	t.Parallel()
	for _, engine := range sql.Engines() {
		for _, name := range []string{"orders", "order", "2fa", "a-b"} {
			all := statements(t, engine, table(t, `{"name":"`+name+`",`+columns+`}`))
			for i, s := range all {
				if !strings.HasSuffix(s, ";") || strings.Count(s, ";") != 1 {
					t.Errorf("%s of %s: statement %d does not end in its only semicolon:\n%s", engine, name, i, s)
				}
				if i > 0 && strings.Contains(s, "--") {
					t.Errorf("%s of %s: statement %d has a comment:\n%s", engine, name, i, s)
				}
			}
			if last := all[len(all)-1]; !strings.HasPrefix(last, "SELECT") {
				t.Errorf("%s of %s: the last statement is not a query:\n%s", engine, name, last)
			}
			if text := strings.Join(all, "\n"); !strings.Contains(text, name+"/") {
				t.Errorf("%s of %s: no folder %s/:\n%s", engine, name, name, text)
			}
		}
	}
}

func TestAnEngineThatCannotReadAStreamSaysWhy(t *testing.T) {
	t.Parallel()
	const gzip, plain = `{"name":"raw","format":"raw"}`, `{"name":"lines"}`
	type change func(*sql.Table)
	members := func(t *sql.Table) { t.GzipLines = true }
	local := func(t *sql.Table) { t.Folder = "/data/archive" }
	for _, tt := range []struct {
		name, engine, entry string
		change              change
		want                string
	}{
		{"raw", "duckdb", gzip, func(*sql.Table) {}, "--gzip-lines"},
		{"raw, compressed twice", "duckdb", `{"name":"raw","format":"raw","compression":"gzip"}`, members, "compressed twice"},
		{"no extension", "athena", gzip, members, "extension"},
		{"no extension", "spark", gzip, members, "extension"},
		{"another extension", "trino", `{"name":"raw","format":"raw","extension":".bin"}`, members, "extension"},
		{"local", "athena", plain, local, "local pipeline"},
		{"local", "snowflake", plain, local, "local pipeline"},
		{"unknown", "mysql", plain, func(*sql.Table) {}, "athena, clickhouse, duckdb"},
	} {
		table := table(t, tt.entry)
		tt.change(&table)
		if _, err := sql.Statements(tt.engine, table); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s, %s: %v, want an error with %q", tt.name, tt.engine, err, tt.want)
		}
	}
}

func TestParseColumn(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]stream.Column{
		"id=/customer/id:bigint": {Name: "id", Pointer: "/customer/id", Type: stream.Bigint},
		"a=/b":                   {Name: "a", Pointer: "/b", Type: stream.String},
		"a=/b:c:double":          {Name: "a", Pointer: "/b:c", Type: stream.Double},
	} {
		got, err := sql.ParseColumn(text)
		if err != nil {
			t.Errorf("ParseColumn(%q): %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ParseColumn(%q) differs (-want +got):\n%s", text, diff)
		}
	}
	for _, text := range []string{"", "a", "a=b", "A=/b", "a=/b:int", `a"=/b`} {
		if _, err := sql.ParseColumn(text); err == nil {
			t.Errorf("ParseColumn(%q): no error", text)
		}
	}
}
