package main_test

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestSQLReadsTheFolderOfALocalPipeline(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir())
	streams, err := filepath.Abs("../../../streams.json")
	if err != nil {
		t.Fatal(err)
	}
	printed := d.operate(t, "", "sql", "orders", "--for=duckdb", "--view=id=/customer/id:bigint", "--streams="+streams).done(t)
	if !strings.Contains(printed, "'"+filepath.Join(d.data, "archive")+"/orders/dt='") || !strings.Contains(printed, "'/customer/id' AS BIGINT") {
		t.Errorf("sql printed:\n%s", printed)
	}
	for _, tt := range []struct {
		code       int
		args, want string
	}{
		{1, "orders --for=athena", "local pipeline"},
		{1, "legacy-archives --for=duckdb", "--gzip-lines"},
		{1, "orders --for=spark --s3", "S3 client"},
		{2, "none --for=duckdb", "has no stream none"},
		{2, "orders --for=spark --view=a=/b", "--view"},
		{2, "orders --for=spark --run", "--run"},
		{1, "orders --for=duckdb --run --day=2026-11-22", "orders has no objects of 2026-11-22"},
		{1, "orders --for=duckdb --run --manifest=2026-11-22T07", "no manifest of the hour 2026-11-22T07"},
	} {
		r := d.operate(t, "", append([]string{"sql", "--streams=" + streams}, strings.Fields(tt.args)...)...)
		if r.code != tt.code || !strings.Contains(r.err, tt.want) {
			t.Errorf("sql %s: exit code %d, and it wrote %q, want %d and %q", tt.args, r.code, r.err, tt.code, tt.want)
		}
	}
}
