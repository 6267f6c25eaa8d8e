package datasink

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTablesOnlyOnRequest(t *testing.T) {
	for _, tpl := range synth(t, nil, fourStreams).all() {
		for kind := range inventory(tpl) {
			if kind == "AWS::Glue::Database" || kind == "AWS::Glue::Table" {
				t.Errorf("%s has a %s", tpl.file, kind)
			}
		}
	}
}

// TestTheTableOfEachStream checks the table that Athena reads. The properties with which
// it computes partitions are those that package sql prints.
func TestTheTableOfEachStream(t *testing.T) {
	a := synth(t, map[string]any{"name": "data-sink", "lake": "true", "lakeFrom": "2026-02-01"}, `{"streams": [{"name": "a-b"}, {"name": "plain", "compression": "none", "tap": false}, {"name": "legacy", "format": "raw"}, {"name": "members", "format": "raw", "extension": ".gz"}]}`)
	if got := outputs(a.root)["LakeDatabase"]; got != "${Lake}" {
		t.Errorf("output LakeDatabase is %s", got)
	}
	if got := at(only(t, a.root, "AWS::Glue::Database").Properties, "DatabaseInput", "Name"); got != "data_sink" {
		t.Errorf("the database is %v", got)
	}
	if n := inventory(a.nested["legacy"])["AWS::Glue::Table"]; n != 0 {
		t.Errorf("%d tables of a raw stream, whose objects need not consist of lines", n)
	}
	for stream, table := range map[string]string{"a-b": "a_b", "plain": "plain", "members": "members"} {
		p := only(t, a.nested[stream], "AWS::Glue::Table").Properties
		if got := parameter(t, a, stream, p["DatabaseName"]); got != "${Lake}" {
			t.Errorf("%s: table of the database %s", stream, got)
		}
		input := resolved(p["TableInput"]).(object)
		delete(input, "Description")
		bucket := rendered(at(p, "TableInput", "StorageDescriptor", "Location"))
		folder := plain(bucket)
		want := object{
			"Name": table, "TableType": "EXTERNAL_TABLE",
			"PartitionKeys": []any{object{"Name": "dt", "Type": "string"}, object{"Name": "hour", "Type": "int"}},
			"Parameters": object{
				"EXTERNAL": "TRUE", "projection.enabled": "true",
				"projection.dt.type": "date", "projection.dt.format": "yyyy-MM-dd", "projection.dt.range": "2026-02-01,NOW",
				"projection.hour.type": "integer", "projection.hour.range": "0,23", "projection.hour.digits": "2",
				"storage.location.template": folder + "dt=${dt}/hour=${hour}/",
			},
			"StorageDescriptor": object{
				"Location": folder, "Columns": []any{object{"Name": "body", "Type": "string"}},
				"InputFormat": "org.apache.hadoop.mapred.TextInputFormat", "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
				"SerdeInfo": object{
					"SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
					"Parameters":           object{"serialization.last.column.takes.rest": "true"},
				},
			},
		}
		if diff := cmp.Diff(want, input); diff != "" {
			t.Errorf("the table of %s (-want +got):\n%s", stream, diff)
		}
		if !isFolder(t, a, stream, at(p, "TableInput", "StorageDescriptor", "Location")) {
			t.Errorf("the table of %s reads %s, want the folder of the stream", stream, bucket)
		}
	}
}

// isFolder reports whether a location is the folder of the stream in the archive.
func isFolder(t *testing.T, a assembly, stream string, location any) bool {
	t.Helper()
	parts, _ := at(location, "Fn::Join").([]any)
	if len(parts) != 2 {
		return false
	}
	texts, _ := parts[1].([]any)
	return len(texts) == 3 && texts[0] == "s3://" && parameter(t, a, stream, texts[1]) == "${Archive}" && texts[2] == "/"+stream+"/"
}
