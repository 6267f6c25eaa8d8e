package sql

import (
	"fmt"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// firstDay is the beginning of the partitions. A query without dt lists 24 folders
// for each day since then.
const firstDay = "2026-01-01"

func athena(t Table) ([]string, error) {
	if t.Folder != "" {
		return nil, errLocal
	}
	if t.isRaw() {
		return nil, errSuffix
	}
	ddl := backtick(t.database()) + "." + backtick(t.name())
	statements := []string{
		"CREATE DATABASE IF NOT EXISTS " + backtick(t.database()),
		fmt.Sprintf(`CREATE EXTERNAL TABLE IF NOT EXISTS %s (
  %s string COMMENT 'one line of the archive'
)
PARTITIONED BY (%s string, %s int)
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe'
WITH SERDEPROPERTIES ('serialization.last.column.takes.rest' = 'true')
STORED AS INPUTFORMAT 'org.apache.hadoop.mapred.TextInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
LOCATION %s
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.dt.type' = 'date',
  'projection.dt.format' = 'yyyy-MM-dd',
  'projection.dt.range' = '%s,NOW',
  'projection.hour.type' = 'integer',
  'projection.hour.range' = '0,23',
  'projection.hour.digits' = '2',
  'storage.location.template' = %s
)`, ddl, backtick("body"), backtick("dt"), backtick("hour"), text(t.folder()), firstDay, text(t.folder()+"dt=${dt}/hour=${hour}/")),
	}
	return append(statements, t.trinoQueries(double(t.database()))...), nil
}

func trino(t Table) ([]string, error) {
	if t.Folder != "" {
		return nil, errLocal
	}
	if t.isRaw() {
		return nil, errSuffix
	}
	schema := "hive." + double(t.database())
	statements := []string{
		"CREATE SCHEMA IF NOT EXISTS " + schema,
		fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s.%s (
  body varchar,
  dt varchar WITH (partition_projection_type = 'DATE', partition_projection_format = 'yyyy-MM-dd', partition_projection_range = ARRAY['%s', 'NOW']),
  hour integer WITH (partition_projection_type = 'INTEGER', partition_projection_range = ARRAY['0', '23'], partition_projection_digits = 2)
)
WITH (
  format = 'TEXTFILE',
  external_location = %s,
  partitioned_by = ARRAY['dt', 'hour'],
  partition_projection_enabled = true,
  partition_projection_location_template = %s
)`, schema, double(t.name()), firstDay, text(t.folder()), text(t.folder()+"dt=${dt}/hour=${hour}/")),
	}
	return append(statements, t.trinoQueries(schema)...), nil
}

// trinoQueries returns the typed view and the last query for Trino and Athena.
func (t Table) trinoQueries(schema string) []string {
	table := schema + "." + double(t.name())
	if len(t.Columns) == 0 {
		return []string{fmt.Sprintf("SELECT hour, count(*) AS lines, count_if(try(json_parse(body)) IS NOT NULL) AS json_lines\nFROM %s\nWHERE dt = %s\nGROUP BY hour\nORDER BY hour", table, text(t.day()))}
	}
	view := schema + "." + double(t.typed())
	return []string{
		fmt.Sprintf("CREATE OR REPLACE VIEW %s AS\nSELECT\n%s\nFROM %s", view, t.selects(double, trinoColumn, "body", "dt", "hour"), table),
		fmt.Sprintf("SELECT %s\nFROM %s\nWHERE dt = %s\nLIMIT 10", t.names(double), view, text(t.day())),
	}
}

func trinoColumn(c stream.Column) string {
	value := "json_extract_scalar(body, " + text(jsonPath("$", c.Pointer)) + ")"
	switch c.Type {
	case stream.Bigint, stream.Double, stream.Boolean:
		return "try_cast(" + value + " AS " + string(c.Type) + ")"
	case stream.Timestamp:
		return "try(from_iso8601_timestamp(" + value + "))"
	}
	return value
}
