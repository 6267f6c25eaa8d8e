package sql

import (
	"fmt"
	"strings"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

func clickhouse(t Table) []string {
	pattern := "dt=*/hour=*/*"
	source := fmt.Sprintf("file(%s, 'LineAsString', 'body String'%s)", clickhouseText(t.folder()+pattern), t.clickhouseCompression())
	switch {
	case t.Endpoint != "":
		source = fmt.Sprintf("s3(%s, %s, %s, 'LineAsString', 'body String'%s)", clickhouseText(t.Endpoint+"/"+t.Bucket+"/"+t.Stream.Name+"/"+pattern),
			clickhouseText(t.AccessKey), clickhouseText(t.SecretKey), t.clickhouseCompression())
	case t.Folder == "":
		host := "s3." + t.Region + ".amazonaws.com"
		if strings.HasPrefix(t.Region, "cn-") {
			host += ".cn"
		}
		source = fmt.Sprintf("s3(%s, 'LineAsString', 'body String'%s)", clickhouseText("https://"+t.Bucket+"."+host+"/"+t.Stream.Name+"/"+pattern), t.clickhouseCompression())
	}
	statements := []string{
		"CREATE DATABASE IF NOT EXISTS " + backtick(t.database()),
		fmt.Sprintf("CREATE OR REPLACE VIEW %s AS\nSELECT body, CAST(dt AS Date) AS dt, CAST(hour AS UInt8) AS hour, _path\nFROM %s\nSETTINGS use_hive_partitioning = 1", t.clickhouseName(t.name()), source),
	}
	if len(t.Columns) == 0 {
		return append(statements, fmt.Sprintf("SELECT hour, count() AS lines, countIf(isValidJSON(body)) AS json_lines\nFROM %s\nWHERE dt = %s\nGROUP BY hour\nORDER BY hour", t.clickhouseName(t.name()), text(t.day())))
	}
	return append(statements,
		fmt.Sprintf("CREATE OR REPLACE VIEW %s AS\nSELECT\n%s\nFROM %s", t.clickhouseName(t.typed()), t.selects(backtick, clickhouseColumn, "body", "dt", "hour"), t.clickhouseName(t.name())),
		fmt.Sprintf("SELECT %s\nFROM %s\nWHERE dt = %s\nLIMIT 10", t.names(backtick), t.clickhouseName(t.typed()), text(t.day())))
}

func (t Table) clickhouseName(name string) string {
	return backtick(t.database()) + "." + backtick(name)
}

func (t Table) clickhouseCompression() string {
	if t.isRaw() {
		return ", 'gzip'"
	}
	return ""
}

// clickhouseText quotes a text; ClickHouse knows backslash escapes.
func clickhouseText(s string) string { return text(strings.ReplaceAll(s, `\`, `\\`)) }

func clickhouseColumn(c stream.Column) string {
	path := "body"
	for _, token := range tokens(c.Pointer) {
		if isIndex(token) {
			path += ", " + token + " + 1" // the first element is 1
		} else {
			path += ", " + clickhouseText(token)
		}
	}
	types := map[stream.ColumnType]string{stream.String: "Nullable(String)", stream.Bigint: "Nullable(Int64)", stream.Double: "Nullable(Float64)", stream.Boolean: "Nullable(Bool)"}
	if name := types[c.Type]; name != "" {
		return "JSONExtract(" + path + ", '" + name + "')"
	}
	return "parseDateTime64BestEffortOrNull(JSONExtractString(" + path + "), 3, 'UTC')"
}
