package sql

import (
	"fmt"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// snowflake returns the objects in the order in which they must be created: the
// user of the integration must be in the trust policy of the role, and, with a
// topic, in the policy of the topic, before the pipe is created.
func snowflake(t Table) []string {
	compression := "AUTO"
	if t.isRaw() {
		compression = "GZIP"
	}
	name := func(suffix string) string { return double(strings.ToUpper(t.name() + suffix)) }
	integration, format := double(strings.ToUpper(t.database())), double(strings.ToUpper(t.name()+"_lines"))
	statements := []string{
		fmt.Sprintf(`CREATE STORAGE INTEGRATION IF NOT EXISTS %s
  TYPE = EXTERNAL_STAGE
  STORAGE_PROVIDER = 'S3'
  ENABLED = TRUE
  STORAGE_AWS_ROLE_ARN = %s
  STORAGE_ALLOWED_LOCATIONS = (%s)`, integration, text("arn:aws:iam::"+t.Account+":role/"+t.Deployment+"-snowflake"), text("s3://"+t.Bucket+"/")),
		"DESC INTEGRATION " + integration,
		fmt.Sprintf(`CREATE FILE FORMAT IF NOT EXISTS %s
  TYPE = CSV
  COMPRESSION = %s
  RECORD_DELIMITER = '\n'
  FIELD_DELIMITER = NONE
  FIELD_OPTIONALLY_ENCLOSED_BY = NONE
  ESCAPE = NONE
  ESCAPE_UNENCLOSED_FIELD = NONE
  TRIM_SPACE = FALSE
  NULL_IF = ()
  EMPTY_FIELD_AS_NULL = FALSE
  SKIP_BLANK_LINES = TRUE
  SKIP_BYTE_ORDER_MARK = FALSE
  REPLACE_INVALID_CHARACTERS = TRUE`, format, compression),
		fmt.Sprintf(`CREATE STAGE IF NOT EXISTS %s
  URL = %s
  STORAGE_INTEGRATION = %s
  FILE_FORMAT = (FORMAT_NAME = %s)`, name("_archive"), text(t.folder()), integration, text(format)),
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (\n  body VARCHAR,\n  json VARIANT,\n  dt DATE,\n  hour NUMBER(2, 0),\n  object VARCHAR,\n  line NUMBER\n)", name("")),
	}
	if t.Topic != "" {
		statements = append(statements,
			fmt.Sprintf("SELECT SYSTEM$GET_AWS_SNS_IAM_POLICY(%s)", text(t.Topic)),
			fmt.Sprintf(`CREATE PIPE IF NOT EXISTS %s
  AUTO_INGEST = TRUE
  AWS_SNS_TOPIC = %s
AS
COPY INTO %s (body, json, dt, hour, object, line)
FROM (
  SELECT
    $1,
    TRY_PARSE_JSON($1),
    TO_DATE(SPLIT_PART(SPLIT_PART(METADATA$FILENAME, 'dt=', 2), '/', 1)),
    TO_NUMBER(SPLIT_PART(SPLIT_PART(METADATA$FILENAME, 'hour=', 2), '/', 1)),
    METADATA$FILENAME,
    METADATA$FILE_ROW_NUMBER
  FROM @%s
)
FILE_FORMAT = (FORMAT_NAME = %s)
ON_ERROR = CONTINUE`, name("_pipe"), text(t.Topic), name(""), name("_archive"), text(format)),
			fmt.Sprintf("ALTER PIPE %s REFRESH PREFIX = %s", name("_pipe"), text("dt="+t.day()+"/")))
	}
	if len(t.Columns) > 0 {
		statements = append(statements, fmt.Sprintf("CREATE OR REPLACE VIEW %s AS\nSELECT\n%s\nFROM %s", name("_typed"), t.selects(snowflakeName, snowflakeColumn, "body", "dt", "hour"), name("")))
	}
	return append(statements, fmt.Sprintf("SELECT COUNT(*) AS lines, COUNT(TRY_PARSE_JSON($1)) AS json_lines\nFROM @%s/dt=%s/", name("_archive"), t.day()))
}

// snowflakeName quotes a name in upper case, which equals the name without quotes.
func snowflakeName(name string) string { return double(strings.ToUpper(name)) }

func snowflakeColumn(c stream.Column) string {
	value := "GET_PATH(json, " + text(strings.TrimPrefix(jsonPath("", c.Pointer), ".")) + ")::VARCHAR"
	types := map[stream.ColumnType]string{stream.Bigint: "NUMBER(38, 0)", stream.Double: "DOUBLE", stream.Boolean: "BOOLEAN", stream.Timestamp: "TIMESTAMP_TZ"}
	if name := types[c.Type]; name != "" {
		return "TRY_CAST(" + value + " AS " + name + ")"
	}
	return value
}

func spark(t Table) []string {
	path := t.folder()
	if t.Folder == "" {
		path = "s3a" + strings.TrimPrefix(path, "s3")
	}
	return []string{
		fmt.Sprintf("CREATE OR REPLACE TEMPORARY VIEW %s USING text\nOPTIONS (path %s, lineSep '\\n')", backtick(t.name()), text(path)),
		fmt.Sprintf("SELECT hour, count(*) AS lines, count(get_json_object(value, '$')) AS json_lines\nFROM %s\nWHERE dt = DATE %s\nGROUP BY hour\nORDER BY hour", backtick(t.name()), text(t.day())),
	}
}

// redshift loads an hour by its manifest, by default the first hour of Day.
func redshift(t Table) []string {
	hour := t.Hour
	if hour.IsZero() {
		hour = t.Day.UTC().Truncate(24 * time.Hour)
	}
	gzip := ""
	if t.isRaw() || t.Stream.Compression == stream.Gzip {
		gzip = " GZIP"
	}
	return []string{
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (body SUPER)", double(t.name())),
		fmt.Sprintf("COPY %s FROM %s\nIAM_ROLE %s\nFORMAT JSON 'noshred'%s MANIFEST MAXERROR 1000", double(t.name()),
			text("s3://"+t.Bucket+"/_manifests/"+t.Stream.Name+hour.UTC().Format("/dt=2006-01-02/hour=15.json")), text("arn:aws:iam::"+t.Account+":role/"+t.Deployment+"-redshift"), gzip),
		fmt.Sprintf("SELECT COUNT(*) AS lines\nFROM %s", double(t.name())),
	}
}
