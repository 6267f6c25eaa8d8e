package sql

import (
	"fmt"
	"strings"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// duckdb returns a table macro: with a view DuckDB would list all objects of the
// stream before it skips other days.
func duckdb(t Table) []string {
	var statements []string
	switch scope := text("s3://" + t.Bucket); {
	case t.Endpoint != "":
		scheme, host, _ := strings.Cut(t.Endpoint, "://")
		statements = append(statements, "INSTALL httpfs", "LOAD httpfs",
			fmt.Sprintf("CREATE OR REPLACE SECRET %s (TYPE s3, KEY_ID %s, SECRET %s, REGION 'us-east-1', ENDPOINT %s, URL_STYLE 'path', USE_SSL %t, SCOPE %s)",
				double(t.database()), text(t.AccessKey), text(t.SecretKey), text(host), scheme == "https", scope))
	case t.Folder == "":
		statements = append(statements, "INSTALL httpfs", "INSTALL aws", "LOAD httpfs", "LOAD aws",
			fmt.Sprintf("CREATE SECRET IF NOT EXISTS %s (TYPE s3, PROVIDER credential_chain, REGION %s, SCOPE %s)", double(t.database()), text(t.Region), scope))
	}
	compression := ""
	if t.isRaw() {
		compression = "\n  compression = 'gzip',"
	}
	statements = append(statements, fmt.Sprintf(`CREATE OR REPLACE MACRO %s("day", "hours" := '*') AS TABLE
SELECT json AS body, dt, "hour"
FROM read_ndjson_objects(
  %s || "day" || '/hour=' || "hours" || '/*',
  ignore_errors = true,%s
  hive_partitioning = true, hive_types = {'dt': DATE, 'hour': INTEGER})`, double(t.name()), text(t.folder()+"dt="), compression))
	if !t.Hour.IsZero() {
		return append(statements, t.duckdbHour()...)
	}
	if len(t.Columns) == 0 {
		return append(statements, fmt.Sprintf(`SELECT "hour", count(*) AS lines, count(body) AS json_lines
FROM %s(%s)
GROUP BY 1
ORDER BY 1`, double(t.name()), text(t.day())))
	}
	return append(statements,
		fmt.Sprintf(`CREATE OR REPLACE MACRO %s("day", "hours" := '*') AS TABLE
SELECT
%s
FROM %s("day", "hours" := "hours")`, double(t.typed()), t.selects(double, duckdbColumn, "body", "dt", `"hour"`), double(t.name())),
		fmt.Sprintf("SELECT %s\nFROM %s(%s)\nLIMIT 10", t.names(double), double(t.typed()), text(t.day())))
}

// duckdbHour reads the objects in the manifests of an hour. The manifests name the
// objects by their S3 URIs, also in the archive of a local pipeline.
func (t Table) duckdbHour() []string {
	root := strings.TrimSuffix(t.folder(), t.Stream.Name+"/")
	url := "e.url"
	if t.Folder != "" {
		url = "regexp_replace(e.url, '^s3://[^/]+/', " + text(root) + ")"
	}
	compression := ""
	if t.isRaw() {
		compression = ", compression = 'gzip'"
	}
	variable := double(t.name() + "_hour")
	return []string{
		fmt.Sprintf("SET VARIABLE %s = (\n  SELECT list(%s)\n  FROM (SELECT unnest(entries) AS e FROM read_json(%s))\n)", variable, url,
			text(root+"_manifests/"+t.Stream.Name+t.Hour.UTC().Format("/dt=2006-01-02/hour=15*.json"))),
		fmt.Sprintf("SELECT count(*) AS lines, count(json) AS json_lines\nFROM read_ndjson_objects(getvariable(%s), ignore_errors = true%s)", text(t.name()+"_hour"), compression),
	}
}

// duckdbColumn uses the pointer as it is, which DuckDB reads.
func duckdbColumn(c stream.Column) string {
	value := "body->>" + text(c.Pointer)
	types := map[stream.ColumnType]string{stream.Bigint: "BIGINT", stream.Double: "DOUBLE", stream.Boolean: "BOOLEAN", stream.Timestamp: "TIMESTAMP"}
	if name := types[c.Type]; name != "" {
		return "TRY_CAST(" + value + " AS " + name + ")"
	}
	return value
}
