package datasink

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

func TestTheTapOfEachStream(t *testing.T) {
	nested := synth(t, nil, fourStreams).nested
	for name, want := range map[string]object{
		"orders": {"Name": "datasink.orders", "StreamModeDetails": object{"StreamMode": "PROVISIONED"}, "ShardCount": 1.0, "RetentionPeriodHours": 24.0},
		"audit":  {"Name": "datasink.audit", "StreamModeDetails": object{"StreamMode": "PROVISIONED"}, "ShardCount": 4.0, "RetentionPeriodHours": 72.0},
		"views":  {"Name": "datasink.views", "StreamModeDetails": object{"StreamMode": "ON_DEMAND"}, "RetentionPeriodHours": 24.0},
		"legacy": {"Name": "datasink.legacy", "StreamModeDetails": object{"StreamMode": "PROVISIONED"}, "ShardCount": 1.0, "RetentionPeriodHours": 24.0},
	} {
		want["StreamEncryption"] = object{"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}
		tap := only(t, nested[name], "AWS::Kinesis::Stream")
		if diff := cmp.Diff(want, tap.Properties); diff != "" {
			t.Errorf("the tap of %s differs (-want +got):\n%s", name, diff)
		}
	}
}

func TestTheFirehoseOfEachStream(t *testing.T) {
	nested := synth(t, nil, fourStreams).nested
	for name, want := range map[string]struct {
		compression   string
		seconds, size float64
	}{
		"orders": {"GZIP", 60, 64}, "audit": {"GZIP", 60, 64}, "views": {"GZIP", 300, 128}, "legacy": {"UNCOMPRESSED", 60, 64},
	} {
		p := only(t, nested[name], "AWS::KinesisFirehose::DeliveryStream").Properties
		if p["DeliveryStreamName"] != "datasink."+name || p["DeliveryStreamType"] != "DirectPut" {
			t.Errorf("%s: Firehose %v of type %v", name, p["DeliveryStreamName"], p["DeliveryStreamType"])
		}
		to, _ := p["ExtendedS3DestinationConfiguration"].(object)
		delete(to, "RoleARN")
		delete(to, "BucketARN")
		expect := object{
			"Prefix":            name + "/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/",
			"ErrorOutputPrefix": "failed/firehose/" + name + "/!{firehose:error-output-type}/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/",
			"CompressionFormat": want.compression,
			"BufferingHints":    object{"IntervalInSeconds": want.seconds, "SizeInMBs": want.size},
			"CloudWatchLoggingOptions": object{
				"Enabled": true, "LogGroupName": "/datasink/firehose", "LogStreamName": "errors",
			},
		}
		if diff := cmp.Diff(expect, to); diff != "" {
			t.Errorf("the Firehose of %s differs (-want +got):\n%s", name, diff)
		}
	}
}

func TestTheExtensionOfObjects(t *testing.T) {
	nested := synth(t, nil, `{"streams": [{"name": "orders"}, {"name": "events", "extension": ".json.gz"}, {"name": "legacy", "format": "raw", "extension": ".gz"}]}`).nested
	for name, want := range map[string]any{"orders": nil, "events": ".json.gz", "legacy": ".gz"} {
		firehose := only(t, nested[name], "AWS::KinesisFirehose::DeliveryStream").Properties
		if got := at(firehose, "ExtendedS3DestinationConfiguration", "FileExtension"); got != want {
			t.Errorf("the extension of %s is %v, want %v", name, got, want)
		}
	}
}

// TestFirehoseAndIngestShareFolders checks that Firehose and ingest write to the same folder
// of an hour.
func TestFirehoseAndIngestShareFolders(t *testing.T) {
	prefix := fmt.Sprint(at(only(t, synth(t, nil, fourStreams).nested["orders"], "AWS::KinesisFirehose::DeliveryStream").Properties, "ExtendedS3DestinationConfiguration", "Prefix"))
	expanded := strings.NewReplacer("!{timestamp:yyyy-MM-dd}", noon.Format("2006-01-02"), "!{timestamp:HH}", noon.Format("15")).Replace(prefix)
	if want := (stream.Stream{Name: "orders"}).Folder(noon); expanded != want {
		t.Errorf("Firehose writes to %s, ingest to %s", expanded, want)
	}
}

func TestTheMappingFromEachTapToTheBridge(t *testing.T) {
	a := synth(t, nil, fourStreams[:len(fourStreams)-2]+`, {"name": "yearly", "retentionHours": 8760}]}`)
	for name, age := range map[string]float64{"orders": 23 * 3600, "audit": 71 * 3600, "views": 23 * 3600, "legacy": 23 * 3600, "yearly": 604_800} {
		mapping := only(t, a.nested[name], "AWS::Lambda::EventSourceMapping")
		p := mapping.Properties
		destination := parameter(t, a, name, at(p, "DestinationConfig", "OnFailure", "Destination"))
		function := parameter(t, a, name, p["FunctionName"])
		delete(p, "DestinationConfig")
		delete(p, "FunctionName")
		want := object{
			"EventSourceArn": object{"Fn::GetAtt": []any{"Tap", "Arn"}}, "StartingPosition": "TRIM_HORIZON",
			"BatchSize": 10_000.0, "MaximumBatchingWindowInSeconds": 5.0, "ParallelizationFactor": 1.0,
			"BisectBatchOnFunctionError": true, "FunctionResponseTypes": []any{"ReportBatchItemFailures"},
			"MaximumRecordAgeInSeconds": age, "MaximumRetryAttempts": -1.0,
		}
		if diff := cmp.Diff(want, p); diff != "" {
			t.Errorf("the mapping of %s differs (-want +got):\n%s", name, diff)
		}
		if destination != "${Archive.Arn}" || function != "${Bridge.Arn}" {
			t.Errorf("%s: what fails goes to %s, records to %s", name, destination, function)
		}
		// CloudFormation deletes the mapping before the Firehose, to which the bridge sends.
		if !slices.Contains(list(mapping.DependsOn), "Firehose") {
			t.Errorf("the mapping of %s depends on %v, want the Firehose", name, mapping.DependsOn)
		}
	}
}

// parameter returns the value that the root passes to a parameter of a nested stack.
func parameter(t *testing.T, a assembly, name string, ref any) string {
	t.Helper()
	for _, r := range ofType(a.root, "AWS::CloudFormation::Stack") {
		if r.Metadata["aws:asset:path"] == a.nested[name].file {
			id := strings.Trim(rendered(ref), "${}")
			return plain(rendered(at(r.Properties, "Parameters", id)))
		}
	}
	t.Fatalf("there is no nested stack of %s", name)
	panic("unreachable")
}

func TestOnlyTheTapOfARetiredStreamIsDeleted(t *testing.T) {
	live := only(t, synth(t, nil, `{"streams": [{"name": "orders"}]}`).nested["orders"], "AWS::Kinesis::Stream")
	if live.DeletionPolicy != "RetainExceptOnCreate" || live.UpdateReplacePolicy != "Retain" {
		t.Errorf("a stream's tap: deletion %s, replacement %s, want both to retain it", live.DeletionPolicy, live.UpdateReplacePolicy)
	}
	nested := synth(t, nil, `{"streams": [{"name": "orders", "retired": true}]}`).nested["orders"]
	retired := only(t, nested, "AWS::Kinesis::Stream")
	if retired.DeletionPolicy != "Delete" {
		t.Errorf("a retired stream's tap: deletion %s, want Delete", retired.DeletionPolicy)
	}
	// CloudFormation ignores a new deletion policy that comes alone.
	if cmp.Equal(live.Properties, retired.Properties) {
		t.Error("retiring changes no property, so that CloudFormation would miss the new deletion policy")
	}
	if len(ofType(nested, "AWS::Lambda::EventSourceMapping")) != 1 || len(ofType(nested, "AWS::KinesisFirehose::DeliveryStream")) != 1 {
		t.Error("a retired stream cannot drain")
	}
}

func TestTwoDeploymentsHaveDifferentNames(t *testing.T) {
	one := synth(t, map[string]any{"name": "a"}, `{"streams": [{"name": "b-c"}]}`).nested["b-c"]
	other := synth(t, map[string]any{"name": "a-b"}, `{"streams": [{"name": "c"}]}`).nested["c"]
	for _, kind := range []struct{ kind, name string }{{"AWS::Kinesis::Stream", "Name"}, {"AWS::KinesisFirehose::DeliveryStream", "DeliveryStreamName"}} {
		if a, b := only(t, one, kind.kind).Properties[kind.name], only(t, other, kind.kind).Properties[kind.name]; a == b {
			t.Errorf("two deployments have a %s named %v", kind.kind, a)
		}
	}
}

func TestTheRepositorysStreamsSynthesize(t *testing.T) {
	b, err := os.ReadFile("../../streams.json")
	if err != nil {
		t.Fatal(err)
	}
	synth(t, nil, string(b))
}

func TestReorderingStreamsChangesNothing(t *testing.T) {
	entries := strings.Split(strings.TrimSuffix(strings.TrimPrefix(many(12), `{"streams": [`), "]}"), ", ")
	one := synth(t, nil, many(12))
	slices.Reverse(entries)
	other := synth(t, nil, `{"streams": [`+strings.Join(entries, ", ")+"]}")
	if diff := cmp.Diff(files(t, one), files(t, other)); diff != "" {
		t.Errorf("the assemblies differ (-one +other):\n%s", diff)
	}
}

// files returns the contents of the templates of an assembly.
func files(t *testing.T, a assembly) map[string]string {
	t.Helper()
	contents := make(map[string]string)
	for _, tpl := range a.all() {
		contents[tpl.file] = string(readFile(t, filepath.Join(a.dir, tpl.file)))
	}
	return contents
}

// many returns a streams.json with n streams that have only a name.
func many(n int) string {
	entries := make([]string, n)
	for i := range entries {
		entries[i] = fmt.Sprintf(`{"name": "stream-with-a-name-of-forty-letters-%03d"}`, i)
	}
	return `{"streams": [` + strings.Join(entries, ", ") + "]}"
}

func TestAddingAStreamOnlyAdds(t *testing.T) {
	before := synth(t, nil, `{"streams": [{"name": "orders"}, {"name": "audit"}, {"name": "views"}]}`)
	after := synth(t, nil, `{"streams": [{"name": "orders"}, {"name": "audit"}, {"name": "bids"}, {"name": "views"}]}`)
	onlyOrder(t, before, after, changes(t, before, after))
}

// With more streams than Kinesis creates at once, the nested stacks wait for each other.
// CloudFormation does not regard a new order as a change of a resource.
func TestAddingAStreamToManyReordersAtMostOneOther(t *testing.T) {
	before := synth(t, nil, many(20))
	after := synth(t, nil, strings.Replace(many(20), `{"streams": [`, `{"streams": [{"name": "bids"}, `, 1))
	changed := changes(t, before, after)
	if len(changed) > 1 {
		t.Errorf("adding a stream also changes %v", changed)
	}
	onlyOrder(t, before, after, changed)
}

// onlyOrder fails the test if resources differ in more than their dependencies, which
// CloudFormation does not regard as a change.
func onlyOrder(t *testing.T, before, after assembly, changed map[string]bool) {
	t.Helper()
	for id := range changed {
		b, a := before.root.Resources[id], after.root.Resources[id]
		b.DependsOn, a.DependsOn = nil, nil
		if !cmp.Equal(b, a) {
			t.Errorf("adding a stream changes %s in more than its order:\n%s", id, cmp.Diff(b, a))
		}
	}
}

// changes returns the resources of before that differ in after, without the code of the
// functions. The nested stacks must not differ in a byte.
func changes(t *testing.T, before, after assembly) map[string]bool {
	t.Helper()
	changed := make(map[string]bool)
	for name, nested := range before.nested {
		b, a := readFile(t, filepath.Join(before.dir, nested.file)), readFile(t, filepath.Join(after.dir, after.nested[name].file))
		if string(b) != string(a) {
			t.Errorf("the nested stack of %s changes", name)
		}
	}
	for id, b := range before.root.Resources {
		a, ok := after.root.Resources[id]
		if b.Type == "AWS::Lambda::Function" {
			delete(b.Properties, "Code")
			delete(a.Properties, "Code")
			delete(b.Metadata, "aws:asset:path")
			delete(a.Metadata, "aws:asset:path")
		}
		if !ok || !cmp.Equal(b, a) {
			changed[id] = true
		}
	}
	if extra := len(after.root.Resources) - len(before.root.Resources); extra != 1 {
		t.Errorf("adding a stream adds %d resources to the root, want its nested stack", extra)
	}
	return changed
}

func TestTheChainsHoldAllStreams(t *testing.T) {
	names := mustParse(t, many(300)).Names()
	all := deployOrder(names)
	if len(all) != maxCreating {
		t.Fatalf("%d chains, want %d", len(all), maxCreating)
	}
	seen := make(map[string]bool)
	for _, chain := range all {
		if len(chain) > 100 {
			t.Errorf("a chain of %d of 300 streams", len(chain))
		}
		for _, name := range chain {
			seen[name] = true
		}
	}
	if len(seen) != len(names) {
		t.Errorf("the chains hold %d of %d streams", len(seen), len(names))
	}
	for _, chain := range deployOrder(names[:maxCreating]) {
		if len(chain) != 1 {
			t.Errorf("%v wait for each other, although Kinesis creates %d at once", chain, maxCreating)
		}
	}
}

func TestStreamsOfAChainFollowEachOther(t *testing.T) {
	a := synth(t, nil, many(12))
	ids := make(map[string]string) // file to logical id
	for id, r := range ofType(a.root, "AWS::CloudFormation::Stack") {
		ids[fmt.Sprint(r.Metadata["aws:asset:path"])] = id
	}
	after := make(map[string]string)
	for name, nested := range a.nested {
		for _, id := range list(a.root.Resources[ids[nested.file]].DependsOn) {
			for other, n := range a.nested {
				if plain(ids[n.file]) == id {
					after[name] = other
				}
			}
		}
	}
	want := make(map[string]string)
	for _, chain := range deployOrder(slices.Sorted(maps.Keys(a.nested))) {
		for i := 1; i < len(chain); i++ {
			want[chain[i]] = chain[i-1]
		}
	}
	if diff := cmp.Diff(want, after); diff != "" {
		t.Errorf("the order differs (-want +got):\n%s", diff)
	}
}

var noon = time.Date(2026, 11, 23, 12, 30, 0, 0, time.UTC)
