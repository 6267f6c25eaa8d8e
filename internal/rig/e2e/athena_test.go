//go:build e2e

package e2e_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
)

// testAthena runs the statements of the command in Athena: first on the table of the
// stack, then without that table, so that the command makes it. Both tables must be equal.
//
// The emulator runs CREATE EXTERNAL TABLE, for which the database of the stack must exist.
// It has no engine for queries: it answers every SELECT with the same row, whatever is in
// the archive.
func (d *deployment) testAthena(t *testing.T) {
	const name = "orders"
	results := &bucket{s3: d.cloud.s3, name: "athena-results", read: make(map[string][]byte)}
	if _, err := d.cloud.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &results.name}); err != nil {
		t.Fatal(err)
	}
	o := d.operator(t)
	run := func() string {
		t.Helper()
		return o.run(t, 0, "", "sql", name, "--for=athena", "--run", "--results=s3://"+results.name+"/"+name+"/", "--streams="+d.streamsFile(t))
	}
	run()
	want := d.glueTable(t, name)
	d.cloud.json(t, "glue", "AWSGlue.DeleteTable", map[string]string{"DatabaseName": d.outputs.LakeDatabase, "Name": name}, new(map[string]any))
	printed := run()
	if diff := cmp.Diff(want, d.glueTable(t, name)); diff != "" {
		t.Errorf("the tables of the stack and of the command differ (-stack +command):\n%s", diff)
	}

	queries := d.queries(t)
	if len(queries) != 6 {
		t.Fatalf("Athena ran %d statements, want 3 of each run", len(queries))
	}
	for i, q := range queries {
		verb := []string{"CREATE DATABASE ", "CREATE EXTERNAL TABLE ", "SELECT "}[i%3]
		if q.Status.State != "SUCCEEDED" || !strings.HasPrefix(q.Query, verb) {
			t.Errorf("statement %d is %s %s, want a %sthat succeeded: %s", i, q.Status.State, q.Status.StateChangeReason, verb, q.Query)
		}
	}
	for key, content := range results.objects(t, name+"/") {
		if strings.HasSuffix(key, queries[5].QueryExecutionId+".csv") { // of one column
			if got, want := strings.Fields(printed), strings.Fields(string(content)); !slices.Equal(got, want) || len(got) < 2 {
				t.Errorf("the command printed %q, want the result of the last statement, %q", got, want)
			}
			return
		}
	}
	t.Errorf("Athena wrote no result of the last statement to %s", results.name)
}

// glueTable returns a table of the Data Catalog, without the properties that Athena adds
// to those of its statement.
func (d *deployment) glueTable(t *testing.T, name string) stream.HiveTable {
	t.Helper()
	var found struct {
		Table struct {
			DatabaseName, Name string
			PartitionKeys      []stream.HiveColumn
			Parameters         map[string]string
			StorageDescriptor  struct {
				Location, InputFormat, OutputFormat string
				Columns                             []stream.HiveColumn
				SerdeInfo                           struct {
					SerializationLibrary string
					Parameters           map[string]string
				}
			}
		}
	}
	d.cloud.json(t, "glue", "AWSGlue.GetTable", map[string]string{"DatabaseName": d.outputs.LakeDatabase, "Name": name}, &found)
	f, s := found.Table, found.Table.StorageDescriptor
	delete(f.Parameters, "EXTERNAL")
	delete(f.Parameters, "transient_lastDdlTime")
	delete(s.SerdeInfo.Parameters, "serialization.format")
	return stream.HiveTable{
		Database: f.DatabaseName, Name: f.Name, Location: strings.TrimSuffix(s.Location, "/") + "/", Columns: s.Columns, PartitionKeys: f.PartitionKeys,
		InputFormat: s.InputFormat, OutputFormat: s.OutputFormat, SerDe: s.SerdeInfo.SerializationLibrary, SerDeParameters: s.SerdeInfo.Parameters, Parameters: f.Parameters,
	}
}

// query is a statement that Athena ran.
type query struct {
	QueryExecutionId, Query string
	Status                  struct{ State, StateChangeReason string }
}

// queries returns the statements that Athena ran, in order.
func (d *deployment) queries(t *testing.T) []query {
	t.Helper()
	var listed struct{ QueryExecutionIds []string }
	d.cloud.json(t, "athena", "AmazonAthena.ListQueryExecutions", map[string]string{}, &listed)
	var details struct{ QueryExecutions []query }
	d.cloud.json(t, "athena", "AmazonAthena.BatchGetQueryExecution", listed, &details)
	return details.QueryExecutions
}
