// Package sql returns SQL statements with which a query engine reads the archive of
// a stream.
//
// The base table has one column of text, body, beside the partitions dt and hour:
// no other table is right for everything that a body can be. A row is a line, so a
// body with newlines is several rows. Typed columns are a view above it.
package sql

import (
	"cmp"
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

// dialect is how an engine reads the archive.
type dialect struct {
	statements func(Table) []string
	// views is set if the engine gets a typed view, manifests if it reads Table.Hour.
	views, manifests bool
	// remote is set if the engine runs outside of this machine, noEndpoint if it reads a
	// local pipeline only by its folder.
	remote, noEndpoint bool
	// suffix is set if the engine knows compression by the end of a name alone.
	suffix bool
}

var dialects = map[string]dialect{
	"athena":     {statements: athena, views: true, remote: true, suffix: true},
	"clickhouse": {statements: clickhouse, views: true},
	"duckdb":     {statements: duckdb, views: true, manifests: true},
	"redshift":   {statements: redshift, manifests: true, remote: true},
	"snowflake":  {statements: snowflake, views: true, remote: true},
	"spark":      {statements: spark, noEndpoint: true, suffix: true},
	"trino":      {statements: trino, views: true, remote: true, suffix: true},
}

// Engines returns the names of the engines, sorted.
func Engines() []string { return slices.Sorted(maps.Keys(dialects)) }

// HasViews reports whether Statements returns a typed view for an engine. Without
// one, it ignores the columns.
func HasViews(engine string) bool { return dialects[engine].views }

// HasManifests reports whether Statements uses Hour for an engine.
func HasManifests(engine string) bool { return dialects[engine].manifests }

// Statements returns the statements for an engine, in the order in which they are
// run. Each ends in a semicolon. The last one is a query on the data of Day. The
// error says why the engine cannot read the stream.
func Statements(engine string, t Table) ([]string, error) {
	dialect, ok := dialects[engine]
	if !ok {
		return nil, fmt.Errorf("engine %q: want %s", engine, strings.Join(Engines(), ", "))
	}
	if err := cmp.Or(t.check(), dialect.check(t)); err != nil {
		return nil, fmt.Errorf("%s cannot read stream %s: %w", engine, t.Stream.Name, err)
	}
	statements := dialect.statements(t)
	for i := range statements {
		statements[i] = strings.TrimSpace(statements[i]) + ";"
	}
	statements[0] = "-- One row is one line: a body with newlines is several rows.\n" + statements[0]
	return statements, nil
}

// check returns an error for an archive that the engine cannot read.
func (d dialect) check(t Table) error {
	switch {
	case d.remote && (t.Folder != "" || t.Endpoint != ""):
		return errors.New("it runs outside of this machine, and cannot read a local pipeline")
	case d.noEndpoint && t.Endpoint != "":
		return errors.New("its S3 client is configured outside of SQL: let it read the folder")
	case d.suffix && t.isRaw() && !t.Stream.HasGzipNames():
		return errors.New(`it knows compression by the end of a name alone: give the stream the extension ".gz"`)
	}
	return nil
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

// isRaw reports whether the objects are gzip members. Not all of their names need
// end in ".gz": the stream may have got its extension later.
func (t Table) isRaw() bool { return t.Stream.Format == stream.Raw }

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
