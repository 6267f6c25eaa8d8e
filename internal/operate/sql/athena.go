package sql

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

func athena(t Table) []string {
	h := t.Stream.HiveTable(t.Deployment, t.Bucket, stream.FirstDay)
	statements := []string{
		"CREATE DATABASE IF NOT EXISTS " + backtick(h.Database),
		fmt.Sprintf(`CREATE EXTERNAL TABLE IF NOT EXISTS %s (
  %s
)
PARTITIONED BY (%s)
ROW FORMAT SERDE %s
WITH SERDEPROPERTIES (%s)
STORED AS INPUTFORMAT %s
OUTPUTFORMAT %s
LOCATION %s
TBLPROPERTIES (
  %s
)`, backtick(h.Database)+"."+backtick(h.Name), hiveColumns(h.Columns), hiveColumns(h.PartitionKeys), text(h.SerDe), hiveProperties(h.SerDeParameters),
			text(h.InputFormat), text(h.OutputFormat), text(h.Location), hiveProperties(h.Parameters)),
	}
	return append(statements, t.trinoQueries(double(h.Database))...)
}

func hiveColumns(columns []stream.HiveColumn) string {
	declared := make([]string, len(columns))
	for i, c := range columns {
		declared[i] = backtick(c.Name) + " " + c.Type
	}
	return strings.Join(declared, ", ")
}

// hiveProperties returns a list of properties, sorted by their names.
func hiveProperties(properties map[string]string) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		list = append(list, text(name)+" = "+text(properties[name]))
	}
	return strings.Join(list, ",\n  ")
}

func trino(t Table) []string {
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
)`, schema, double(t.name()), stream.FirstDay, text(t.folder()), text(t.folder()+"dt=${dt}/hour=${hour}/")),
	}
	return append(statements, t.trinoQueries(schema)...)
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
