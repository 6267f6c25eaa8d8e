package stream

import "strings"

// FirstDay is the first day of the partitions of a table, unless the operator names
// another one.
const FirstDay = "2026-01-01"

// HiveColumn is a column of a HiveTable.
type HiveColumn struct{ Name, Type string }

// HiveTable describes a table for Athena and the AWS Glue Data Catalog. A row is a line
// of the archive, in the column body. The partitions dt and hour are computed from the
// keys of the objects (partition projection), so that nothing has to add them.
type HiveTable struct {
	Database, Name string
	// Location is the folder of the stream, with a slash at its end.
	Location string

	Columns, PartitionKeys           []HiveColumn
	InputFormat, OutputFormat, SerDe string
	SerDeParameters, Parameters      map[string]string
}

// HiveTable returns the table of the stream in a deployment. from is its first day, as in
// 2026-01-31: a query without a condition on dt lists 24 folders for each day since then.
func (s Stream) HiveTable(deployment, bucket, from string) HiveTable {
	location := "s3://" + bucket + "/" + s.Name + "/"
	return HiveTable{
		Database: DatabaseName(deployment), Name: s.TableName(), Location: location,
		Columns:       []HiveColumn{{"body", "string"}},
		PartitionKeys: []HiveColumn{{"dt", "string"}, {"hour", "int"}},
		InputFormat:   "org.apache.hadoop.mapred.TextInputFormat",
		OutputFormat:  "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
		SerDe:         "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
		// A body may contain the field delimiter.
		SerDeParameters: map[string]string{"serialization.last.column.takes.rest": "true"},
		Parameters: map[string]string{
			"projection.enabled":        "true",
			"projection.dt.type":        "date",
			"projection.dt.format":      "yyyy-MM-dd",
			"projection.dt.range":       from + ",NOW",
			"projection.hour.type":      "integer",
			"projection.hour.range":     "0,23",
			"projection.hour.digits":    "2",
			"storage.location.template": location + "dt=${dt}/hour=${hour}/",
		},
	}
}

// HasTable reports whether the objects of the stream consist of lines, which a HiveTable
// can read. For a raw stream of gzip bodies, the extension says so.
func (s Stream) HasTable() bool { return s.Format != Raw || s.HoldsGzip() }

// TableName returns the name of the stream's table in SQL. Names of streams contain no
// underscore, so that no two streams have the same table name.
func (s Stream) TableName() string { return underscored(s.Name) }

// DatabaseName returns the name of the database with the tables of a deployment.
func DatabaseName(deployment string) string { return underscored(deployment) }

func underscored(name string) string { return strings.ReplaceAll(name, "-", "_") }
