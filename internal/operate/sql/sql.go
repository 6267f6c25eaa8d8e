// Package sql returns SQL statements with which a query engine reads the archive of
// a stream.
//
// The base table has one column of text, body, beside the partitions dt and hour:
// no other table is right for everything that a body can be. A row is a line, so a
// body with newlines is several rows. Typed columns are a view above it.
package sql

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Table is an archive that is to be read.
type Table struct {
	// Stream is the stream, and Deployment the name of its deployment.
	Stream     stream.Stream
	Deployment string
	// Bucket, Region and Account are where the archive is on AWS. Folder is the folder
	// of the archive of a local pipeline; if it is set, the others are not used.
	Bucket, Region, Account string
	Folder                  string
	// Endpoint is the URL of the S3 API of a local pipeline, with the keys that it
	// accepts. If it is set, the archive is Bucket at this endpoint.
	Endpoint, AccessKey, SecretKey string
	// Topic is the ARN of the SNS topic that announces objects; empty for none.
	Topic string
	// Columns are the columns of a typed view; none for no view.
	Columns []stream.Column
	// GzipLines says that the bodies of a raw stream are gzip members of lines.
	GzipLines bool
	// Day is the day of the last query.
	Day time.Time
	// Hour is an hour that the last query reads by its manifests; zero for none. Only
	// DuckDB and Redshift can.
	Hour time.Time
}

// HasManifests reports whether Statements uses Hour for an engine.
func HasManifests(engine string) bool { return engine == "duckdb" || engine == "redshift" }

// dialects returns the statements of each engine.
var dialects = map[string]func(Table) ([]string, error){
	"athena": athena, "clickhouse": clickhouse, "duckdb": duckdb, "redshift": redshift, "snowflake": snowflake, "spark": spark, "trino": trino,
}

// Engines returns the names of the engines, sorted.
func Engines() []string { return slices.Sorted(maps.Keys(dialects)) }

// HasViews reports whether Statements returns a typed view for an engine. Without
// one, it ignores the columns.
func HasViews(engine string) bool { return engine != "redshift" && engine != "spark" }

var (
	// errLocal is the reason why an engine cannot read a local pipeline.
	errLocal = errors.New("it runs outside of this machine, and cannot read a local pipeline")
	// errEndpoint is the reason why Spark cannot read the S3 API of a local pipeline.
	errEndpoint = errors.New("its S3 client is configured outside of SQL: let it read the folder")
	// errSuffix is the reason why an engine cannot read gzip members.
	errSuffix = errors.New(`it knows compression by the end of a name alone: give the stream the extension ".gz"`)
)

// Statements returns the statements for an engine, in the order in which they are
// run. Each ends in a semicolon. The last one is a query on the data of Day. The
// error says why the engine cannot read the stream.
func Statements(engine string, t Table) ([]string, error) {
	dialect, ok := dialects[engine]
	if !ok {
		return nil, fmt.Errorf("engine %q: want %s", engine, strings.Join(Engines(), ", "))
	}
	err := t.check()
	var statements []string
	if err == nil {
		statements, err = dialect(t)
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot read stream %s: %w", engine, t.Stream.Name, err)
	}
	for i := range statements {
		statements[i] = strings.TrimSpace(statements[i]) + ";"
	}
	statements[0] = "-- One row is one line: a body with newlines is several rows.\n" + statements[0]
	return statements, nil
}

// check returns an error for a stream whose objects are not lines.
func (t Table) check() error {
	switch {
	case t.Stream.Format != stream.Raw, t.Stream.HoldsGzip():
		return nil
	case t.Stream.Compression == stream.Gzip && t.GzipLines:
		return errors.New("its bodies are compressed twice: set compression to none")
	case t.Stream.Compression != stream.Gzip && !t.GzipLines:
		return errors.New("its format is raw, so an object need not consist of lines: use --gzip-lines, or give the stream the extension \".gz\", if all bodies are gzip members of lines")
	case t.Stream.Compression == stream.Gzip:
		return errors.New("its format is raw, so an object need not consist of lines")
	}
	return nil
}

// isLocal reports whether the archive is that of a local pipeline.
func (t Table) isLocal() bool { return t.Folder != "" || t.Endpoint != "" }

// isRaw reports whether the objects are gzip members. Not all of their names need
// end in ".gz": the stream may have got its extension later.
func (t Table) isRaw() bool { return t.Stream.Format == stream.Raw }

// hasGzipNames reports whether the names of compressed objects end in ".gz".
func (t Table) hasGzipNames() bool { return !t.isRaw() || t.Stream.HasGzipNames() }

// name is the name of the table.
func (t Table) name() string { return t.Stream.TableName() }

// typed is the name of the typed view.
func (t Table) typed() string { return t.name() + "_typed" }

// database is the name of a database for all streams.
func (t Table) database() string { return stream.DatabaseName(t.Deployment) }

// folder is the folder of the stream, with its slash: without it, a prefix would
// match other streams too.
func (t Table) folder() string {
	if t.Folder != "" {
		return strings.TrimSuffix(t.Folder, "/") + "/" + t.Stream.Name + "/"
	}
	return "s3://" + t.Bucket + "/" + t.Stream.Name + "/"
}

func (t Table) day() string { return t.Day.UTC().Format(time.DateOnly) }

// The ways of quoting.
func double(name string) string   { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
func backtick(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
func text(s string) string        { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
