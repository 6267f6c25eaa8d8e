package datasink

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// All tests use one jsii process, so they never run in parallel.
func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	for _, dir := range synthesized {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// synthesized has the folders of all assemblies that were synthesized, by their input.
var synthesized = make(map[string]string)

// object is a JSON object of a template.
type object = map[string]any

// template is a synthesized CloudFormation template.
type template struct {
	file       string
	bytes      int
	Resources  map[string]resource
	Parameters map[string]any
	Outputs    map[string]struct{ Value any }
}

type resource struct {
	Type                                string
	Properties                          object
	Metadata                            object
	DependsOn                           any
	DeletionPolicy, UpdateReplacePolicy string
	UpdatePolicy                        object
}

// assembly is the result of a synthesis: the root template and the nested templates by
// the names of their streams.
type assembly struct {
	dir    string
	root   template
	nested map[string]template
}

// all returns the templates, the root first.
func (a assembly) all() []template {
	list := []template{a.root}
	for _, name := range slices.Sorted(maps.Keys(a.nested)) {
		list = append(list, a.nested[name])
	}
	return list
}

const fourStreams = `{"streams": [
	{"name": "orders"}, {"name": "audit", "shards": 4, "retentionHours": 72},
	{"name": "views", "capacity": "on-demand", "bufferSeconds": 300, "bufferMiB": 128}, {"name": "legacy", "format": "raw"}
]}`

const (
	testAccount = "123456789012"
	aSecret     = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:redis-AbCdEf"
)

// with returns a copy of a context with one more value.
func with(context map[string]any, key string, value any) map[string]any {
	context = maps.Clone(context)
	context[key] = value
	return context
}

// synth synthesizes a stack with stub functions and the context of cdk.json and the
// given one. It synthesizes the same input only once, but returns a new copy.
func synth(t testing.TB, context map[string]any, streams string) assembly {
	t.Helper()
	set, err := stream.Parse([]byte(streams))
	if err != nil {
		t.Fatal(err)
	}
	s, err := settings.Parse(context)
	if err != nil {
		t.Fatal(err)
	}
	d := deployment{Settings: s, streams: set, account: testAccount, region: "eu-west-1"}
	key := fmt.Sprint(context, streams)
	if synthesized[key] == "" {
		dir, err := os.MkdirTemp("", "datasink-assembly-")
		if err != nil {
			t.Fatal(err)
		}
		synthesized[key] = dir
		d.assets = stubs(t, set)
		guard(t, func() {
			app := awscdk.NewApp(&awscdk.AppProps{Outdir: &dir, AnalyticsReporting: jsii.Bool(false), Context: appContext(t, context)})
			newStack(app, d)
			app.Synth(nil)
		})
	}
	return read(t, synthesized[key], d)
}

// guard turns a panic of jsii, by which the CDK reports errors, into a test failure.
func guard(t testing.TB, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if p := recover(); p != nil {
			t.Fatalf("the CDK refuses: %v", p)
		}
	}()
	f()
}

// stubs returns a folder of stub functions, so that these tests build none.
func stubs(t testing.TB, set *stream.Set) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range functions {
		if err := os.Mkdir(filepath.Join(dir, f), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, f, "bootstrap"), []byte("stub of "+f), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := addStreams(dir, set); err != nil {
		t.Fatal(err)
	}
	return dir
}

func appContext(t testing.TB, given map[string]any) *map[string]any {
	t.Helper()
	b, err := os.ReadFile("../cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Context map[string]any }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	// The CDK CLI sets this key; it adds the file of a nested stack to the metadata.
	file.Context["aws:cdk:enable-asset-metadata"] = true
	maps.Copy(file.Context, given)
	return &file.Context
}

func read(t testing.TB, dir string, d deployment) assembly {
	t.Helper()
	a := assembly{dir: dir, root: readTemplate(t, dir, d.Name+".template.json"), nested: make(map[string]template)}
	for id, r := range a.root.Resources {
		if r.Type != "AWS::CloudFormation::Stack" {
			continue
		}
		file, _ := r.Metadata["aws:asset:path"].(string)
		nested := readTemplate(t, dir, file)
		name := strings.TrimPrefix(fmt.Sprint(only(t, nested, "AWS::KinesisFirehose::DeliveryStream").Properties["DeliveryStreamName"]), d.Name+".")
		if _, ok := d.streams.Lookup(name); !ok {
			t.Fatalf("nested stack %s belongs to no stream: %q", id, name)
		}
		a.nested[name] = nested
	}
	if len(a.nested) != len(d.streams.Names()) {
		t.Fatalf("%d nested stacks for %d streams", len(a.nested), len(d.streams.Names()))
	}
	return a
}

func readTemplate(t testing.TB, dir, file string) template {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	parsed := template{file: file, bytes: len(b)}
	if err := json.Unmarshal(b, &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed
}

// ofType returns the resources of a type by their logical IDs.
func ofType(tpl template, kind string) map[string]resource {
	found := make(map[string]resource)
	for id, r := range tpl.Resources {
		if r.Type == kind {
			found[id] = r
		}
	}
	return found
}

// only returns the only resource of a type.
func only(t testing.TB, tpl template, kind string) resource {
	t.Helper()
	found := ofType(tpl, kind)
	if len(found) != 1 {
		t.Fatalf("%s has %d of %s, want 1", tpl.file, len(found), kind)
	}
	for _, r := range found {
		return r
	}
	panic("unreachable")
}

// at returns the value at a path of keys in nested objects, or nil if there is none.
func at(value any, path ...string) any {
	for _, key := range path {
		m, ok := value.(object)
		if !ok {
			return nil
		}
		value = m[key]
	}
	return value
}

// numeric returns a value, which must be a number.
func numeric(t testing.TB, value any) float64 {
	t.Helper()
	n, ok := value.(float64)
	if !ok {
		t.Fatalf("%v is not a number", value)
	}
	return n
}
