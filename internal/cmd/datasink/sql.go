package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/operate/deployment"
	"github.com/data-sink/data-sink/internal/operate/manifest"
	"github.com/data-sink/data-sink/internal/operate/sql"
)

type sqlVerb struct {
	Stream    string   `arg:"" complete:"stream" help:"Stream to read."`
	For       string   `required:"" placeholder:"${enginesChoice}" enum:"${engines}" help:"Query engine."`
	View      []string `placeholder:"NAME=/POINTER:TYPE" help:"Column of a typed view: a name, a JSON pointer into the body, and the type string, bigint, double, boolean or timestamp. Defaults to the columns of the stream in streams.json."`
	GzipLines bool     `help:"All bodies of the raw stream are gzip members of lines."`
	Manifest  moment   `help:"Read an hour by its manifests, which datasink verify --manifest writes. Only for duckdb and redshift."`
	Day       moment   `default:"now" help:"Day of the query at the end."`
	S3        bool     `name:"s3" help:"Read a local pipeline by its S3 API, not in its data folder. Only for clickhouse and duckdb."`
	Execute   bool     `name:"run" help:"Run the statements: with the program duckdb, or by the API of Athena. Only for athena and duckdb."`
	Workgroup string   `default:"primary" help:"With --run, workgroup of Athena."`
	Results   string   `placeholder:"s3://BUCKET/FOLDER/" help:"With --run, place of Athena's results. Defaults to that of the workgroup."`
	connection
	streamsFile
}

// Help shows with datasink sql --help.
func (*sqlVerb) Help() string {
	return `The statements create a table with one column of text, body, and the partitions dt and
hour. A row is a line: a body with newlines is several rows. Each statement ends in a
semicolon. The last one is a query on the data of one day.

Columns of the stream in streams.json, or of --view, make a second, typed view. A value
of another type is NULL.

For duckdb a table is a macro with a day as its argument, such as
FROM orders('2026-11-22'), and body has the type JSON: it is NULL for a line that is
not JSON.

For a local pipeline the statements read the data folder, or with --s3 the S3 API. If
an engine cannot read the stream, the command says why.

Examples:

  datasink sql orders --for duckdb
  datasink sql orders --for duckdb --run
  datasink sql orders --for duckdb --manifest 2026-11-22T07
  datasink sql orders --for athena --run --results s3://my-athena-results/
  datasink sql orders --for athena --view customer=/customer/id:bigint --view at=/at:timestamp`
}

// Validate checks the flags. Kong calls it.
func (v *sqlVerb) Validate() error {
	switch {
	case v.Execute && v.For != "duckdb" && v.For != "athena":
		return errors.New("--run: works only with --for athena and duckdb")
	case !v.Manifest.IsZero() && !sql.HasManifests(v.For):
		return fmt.Errorf("--manifest: not for %s", v.For)
	case len(v.View) > 0 && !sql.HasViews(v.For):
		return fmt.Errorf("--view: not for %s", v.For)
	}
	return nil
}

// Run prints the statements, or runs them.
func (v *sqlVerb) Run(ctx context.Context, c console) error {
	s, known, err := v.streamsFile.stream(v.Stream)
	if err != nil {
		return err
	}
	if !known {
		return usage("%s has no stream %s: set --streams to the file of the deployment", v.Streams, v.Stream)
	}
	if len(v.View) > 0 {
		s.Columns = nil
	}
	for _, text := range v.View {
		column, err := sql.ParseColumn(text)
		if err != nil {
			return usage("--view: %w", err)
		}
		s.Columns = append(s.Columns, column)
	}
	t, err := v.find(ctx, c, toRead)
	if err != nil {
		return err
	}
	place, err := t.Place(ctx)
	if err != nil {
		return err
	}
	table := sql.Table{
		Stream: s, Deployment: t.Deployment(), Bucket: place.Bucket, Region: place.Region, Account: place.Account, Topic: place.Topic, Folder: place.Folder,
		Columns: s.Columns, GzipLines: v.GzipLines, Day: v.Day.UTC(), Hour: v.Manifest.Time,
	}
	if v.S3 {
		if place.Endpoint == "" {
			return usage("--s3: only for a local pipeline with an S3 API")
		}
		table.Folder, table.Endpoint, table.AccessKey, table.SecretKey = "", place.Endpoint, place.AccessKey, place.SecretKey
	}
	statements, err := sql.Statements(v.For, table)
	switch {
	case err != nil:
		return err
	case !v.Execute:
		_, err := fmt.Fprintln(c.out, strings.Join(statements, "\n\n"))
		return err
	case v.For == "athena":
		return v.runAthena(ctx, c, t, statements)
	}
	return v.runDuckDB(ctx, c, t, statements)
}

func (v *sqlVerb) runAthena(ctx context.Context, c console, t deployment.Target, statements []string) error {
	var rows [][]string
	_, statements[0], _ = strings.Cut(statements[0], "\n") // The first line is a comment.
	err := t.Athena(ctx, v.Workgroup, v.Results, statements, func(row []string) error {
		rows = append(rows, row)
		return nil
	})
	if err != nil || len(rows) == 0 {
		return err
	}
	return printTable(c.out, rows[0], rows[1:])
}

func (v *sqlVerb) runDuckDB(ctx context.Context, c console, t deployment.Target, statements []string) error {
	archive, err := t.Archive(ctx)
	if err == nil { // Without its S3 API, the folder of a local pipeline may have objects.
		err = v.checkObjects(ctx, archive)
	}
	if err != nil && !errors.Is(err, deployment.ErrNotLocal) {
		return err
	}
	duckdb := exec.CommandContext(ctx, "duckdb")
	duckdb.Stdin, duckdb.Stdout, duckdb.Stderr = strings.NewReader(strings.Join(statements, "\n")), c.out, c.err
	err = duckdb.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%w: install DuckDB, or run the statements that are printed without --run", err)
	}
	if err != nil {
		return fmt.Errorf("running duckdb: %w", err)
	}
	return nil
}

// checkObjects returns an error if the archive has nothing for the last statement to
// read. The error of DuckDB names only a pattern of files.
func (v *sqlVerb) checkObjects(ctx context.Context, archive deployment.Archive) error {
	prefix := v.Stream + v.Day.UTC().Format("/dt=2006-01-02/")
	problem := fmt.Errorf("%s has no objects of %s (UTC): choose another day with --day", v.Stream, v.Day.UTC().Format(time.DateOnly))
	if !v.Manifest.IsZero() {
		prefix = manifest.Folder + v.Stream + v.Manifest.Format("/dt=2006-01-02/hour=15")
		problem = fmt.Errorf("%s has no manifest of the hour %s: datasink verify --manifest writes it", v.Stream, v.Manifest.Format("2006-01-02T15"))
	}
	for _, err := range archive.List(ctx, prefix) {
		return err
	}
	return problem
}
